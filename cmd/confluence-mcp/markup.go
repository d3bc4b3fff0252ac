package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/markup"
)

// newMarkupCommand is the content engine on files: storage or Markdown comes
// from in, the result goes to out. A refused write is an error whose text says
// why, and nothing is written to out.
func newMarkupCommand(in io.Reader, out, errOut io.Writer) *cobra.Command {
	c := &cobra.Command{Use: "markup", Short: "Convert and edit Confluence storage format without a server"}
	c.AddCommand(markupToMarkdown(in, out, errOut), markupEdit(in, out, errOut), markupApply(in, out, errOut))
	return c
}

// markupToMarkdown prints a storage value as Markdown. One that is not
// well-formed is printed all the same, with a warning.
func markupToMarkdown(in io.Reader, out, errOut io.Writer) *cobra.Command {
	var outline bool
	c := &cobra.Command{Use: "to-markdown", Short: "Print the storage on stdin as Markdown", Args: cobra.NoArgs, SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			b, err := io.ReadAll(in)
			if err != nil {
				return fmt.Errorf("read stdin: %w", err)
			}
			d, problem := markup.Parse(string(b))
			if problem != nil {
				fmt.Fprintln(errOut, "warning:", problem)
			}
			if outline {
				return printOutline(out, d)
			}
			_, err = io.WriteString(out, d.Markdown(markup.View{}).Text)
			return err
		}}
	c.Flags().BoolVar(&outline, "outline", false, "print headings and handles instead")
	return c
}

func printOutline(out io.Writer, d *markup.Document) error {
	for _, h := range d.Outline(markup.View{}) {
		if _, err := fmt.Fprintf(out, "%s %s %s (%d bytes)\n", h.Handle, strings.Repeat("#", h.Level), h.Text, h.Size); err != nil {
			return err
		}
	}
	return nil
}

// writeFlags are the flags that both ways of writing share.
type writeFlags struct {
	allowLoss  []string
	dataCenter bool
	diff       bool
}

func (f *writeFlags) bind(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.allowLoss, "allow-loss", nil, "name what the write may lose, such as a macro")
	c.Flags().BoolVar(&f.dataCenter, "data-center", false, "write new storage the way Data Center spells it")
	c.Flags().BoolVar(&f.diff, "diff", false, "print the diff of the Markdown instead of the storage")
}

func (f *writeFlags) options() markup.Options {
	return markup.Options{DataCenter: f.dataCenter, AllowLoss: f.allowLoss}
}

func (f *writeFlags) print(out, errOut io.Writer, r markup.Result) error {
	for _, n := range r.Notes {
		fmt.Fprintln(errOut, "note:", n)
	}
	text := r.Storage
	if f.diff {
		text = r.Diff
	}
	_, err := io.WriteString(out, text)
	return err
}

// markupEdit applies the edits of a file, a JSON array as in confluence_update_page.
func markupEdit(in io.Reader, out, errOut io.Writer) *cobra.Command {
	var file string
	var flags writeFlags
	c := &cobra.Command{Use: "edit --edits FILE", Short: "Apply edits to the storage on stdin", Args: cobra.NoArgs, SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			edits, err := readEdits(file)
			if err != nil {
				return err
			}
			b, err := io.ReadAll(in)
			if err != nil {
				return fmt.Errorf("read stdin: %w", err)
			}
			r, err := markup.ApplyEdits(string(b), edits, flags.options())
			if err != nil {
				return refused(err)
			}
			return flags.print(out, errOut, r)
		}}
	c.Flags().StringVar(&file, "edits", "", "file with a JSON array of edits")
	_ = c.MarkFlagRequired("edits")
	flags.bind(c)
	return c
}

func readEdits(file string) ([]markup.Edit, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read edits: %w", err)
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	var edits []markup.Edit
	if err := d.Decode(&edits); err != nil {
		return nil, fmt.Errorf("read edits: %w", err)
	}
	return edits, nil
}

// markupApply writes edited Markdown back to the storage it was read from.
func markupApply(in io.Reader, out, errOut io.Writer) *cobra.Command {
	var base string
	var flags writeFlags
	c := &cobra.Command{Use: "apply --base STORAGE", Short: "Write the edited Markdown on stdin back to the storage it came from", Args: cobra.NoArgs, SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			was, err := os.ReadFile(base)
			if err != nil {
				return fmt.Errorf("read base: %w", err)
			}
			b, err := io.ReadAll(in)
			if err != nil {
				return fmt.Errorf("read stdin: %w", err)
			}
			r, err := markup.WriteMarkdown(string(was), string(b), flags.options())
			if err != nil {
				return refused(err)
			}
			return flags.print(out, errOut, r)
		}}
	c.Flags().StringVar(&base, "base", "", "file with the storage the Markdown was read from")
	_ = c.MarkFlagRequired("base")
	flags.bind(c)
	return c
}

// refused puts the stable code before the sentence.
func refused(err error) error {
	var e *markup.Error
	if errors.As(err, &e) {
		return fmt.Errorf("refused (%s): %w", e.Code, err)
	}
	return err
}

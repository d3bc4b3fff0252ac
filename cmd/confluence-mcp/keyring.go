package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

// sealChoice is where the master key of a data folder is; provider, when not
// empty, takes the place of the configured one.
func (p program) sealChoice(cfg config.Config, provider string) seal.Choice {
	folder, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		folder = cfg.DataDir
	}
	return seal.Choice{Provider: cmp.Or(provider, cfg.Seal.Provider, seal.FileKey), File: cmp.Or(cfg.Seal.KeyFile, filepath.Join(cfg.DataDir, keyFile)), Key: cfg.Seal.Key,
		Folder: folder, Vault: cfg.Seal.VaultURL, VaultKey: cfg.Seal.VaultKey, Getenv: p.getenv}
}

func (p program) secretsCommand() *cobra.Command {
	c := &cobra.Command{Use: "secrets", Short: "The keys that stored tokens are sealed with",
		Long: `Tokens are sealed with keys in the database, and those with a master key: in a
file of the data folder, an environment variable, the keyring of the operating
system or Azure Key Vault (seal: in the configuration). Without the master key
the tokens cannot be read; keep a copy of it apart from backups of the folder.`}
	c.AddCommand(p.secretsRotateCommand(), p.secretsNewKeyCommand())
	return c
}

func (p program) secretsRotateCommand() *cobra.Command {
	var at place
	var from string
	var asJSON bool
	c := &cobra.Command{Use: "rotate", Short: "Make new keys and seal every token anew, all of them or none",
		Long: `Make new keys and seal every stored token anew, in one transaction. The old key
is kept until it is through: a command that is killed has changed nothing, or all.

With the key in the configuration (provider: environment), first put a new one
(secrets new-key) behind the old one with a comma, restart the server if one runs,
rotate, then take the old one away. To move to another provider, stop the server.`,
		Example: `  confluence-mcp secrets rotate
  confluence-mcp secrets rotate --from file      # the configuration names another provider now`,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error {
				cfg, err := p.configured(at)
				if err != nil {
					return err
				}
				var done rotation
				err = p.changes(s).make(ctx, atShell(), change{"secrets.rotate", "secrets", ""}, func() (err error) {
					done, err = p.rotate(ctx, s, cfg, from)
					return err
				})
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(p.out).Encode(done)
				}
				if done.Master == "" {
					_, err = fmt.Fprintln(p.out, "nothing is sealed yet: there is nothing to rotate")
					return err
				}
				_, err = fmt.Fprintf(p.out, "sealed %d secrets with new keys, under master key %s of %s\n", done.Resealed, done.Master, done.Provider)
				return err
			})
		}}
	at.flags(c)
	c.Flags().StringVar(&from, "from", "", "the `provider` they are sealed with now: file, environment, keyring or azurekv")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// rotation is what a rotation came to; without a master key, that nothing is
// sealed yet.
type rotation struct {
	Resealed int    `json:"resealed"`
	Provider string `json:"provider,omitempty"`
	Master   string `json:"master,omitempty"` // id of the master key that is needed from now on
}

func (p program) rotate(ctx context.Context, s *store.Precious, cfg config.Config, from string) (rotation, error) {
	if p.owned != nil && from != "" {
		return rotation{}, &confluence.Error{Kind: confluence.Invalid, Code: "seal.key", Op: "rotate keys", Message: "the process that owns the data folder knows only the key provider it was started with; nothing was changed",
			Next: "Stop it, run this command again with the new configuration, and start it with that one."}
	}
	if keys, err := s.SealKeys(ctx); err != nil || len(keys) == 0 { // opening them would make the first ones
		return rotation{}, err
	}
	old, err := p.sealChoice(cfg, from).Open()
	if err != nil {
		return rotation{}, err
	}
	next, err := p.sealChoice(cfg, "").Open()
	if err != nil {
		return rotation{}, err
	}
	ring, err := seal.OpenRing(ctx, old, s)
	if err != nil {
		return rotation{}, err
	}
	n, err := ring.Rotate(ctx, next)
	if p.owned != nil {
		err = errors.Join(err, p.owned.vault.Reload(ctx))
	}
	if err != nil {
		return rotation{}, err
	}
	done := rotation{Resealed: n}
	keys, err := s.SealKeys(ctx)
	for _, k := range keys { // one, after a rotation
		done.Provider, done.Master = k.Provider, k.Master
	}
	return done, err
}

func (p program) secretsNewKeyCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "new-key", Short: "Print a new master key for an environment variable or a secret store", RunE: func(*cobra.Command, []string) error {
		key := seal.NewKeyText()
		if err := p.print(asJSON, map[string]any{"key": key.Reveal()}, "%s\n", key.Reveal()); err != nil {
			return err
		}
		fmt.Fprintln(p.errOut, "This is a secret. It is kept nowhere and not shown again.")
		return nil
	}}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

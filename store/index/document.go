package index

import (
	"encoding/binary"
	"strconv"
	"strings"

	bleve "github.com/blevesearch/bleve_index_api"

	"confluence-mcp/store/mirror"
)

// The fields of a document in bleve's index. Raise mappingVersion with every
// change of what is in them: an index of another version is built anew.
//
//	_id  the node's index, 4 bytes, big-endian
//	t    the words: frequency is weighted, by where a word stands
//	n    three terms every document has, whose frequency is a number:
//	     i = node's index + 1, l = words that are no stop words + 1, u = last saved, Unix seconds + 1
//	k    keywords without frequency: T type, S integration:space key, L label, A author
//	s    stored: the words of title and text in order, for phrases (see marks.go)
const (
	fieldWords    = "t"
	fieldNumbers  = "n"
	fieldKeywords = "k"
	fieldMarks    = "s"

	mappingVersion = 1
)

// What a word counts, by where it stands; chosen on the training half of the
// relevance data (title) and as half-way marks (the others).
const (
	weightText    = 1
	weightHeading = 2
	weightLabel   = 2
	weightTitle   = 3
)

type analyser struct {
	tongues *tongues
	stems   *stems
}

func newAnalyser() *analyser { return &analyser{tongues: newTongues(), stems: &stems{}} }

// term is a token as it is in the index.
func (a *analyser) term(l language, t token) string {
	if t.cjk {
		return a.stems.of(languages, t.word)
	}
	return a.stems.of(l, t.word)
}

// document is a node's content in the shape bleve takes it.
type document struct {
	id     string
	fields []bleve.Field
	text   int
}

// drafting collects the words of one document.
type drafting struct {
	*analyser
	lang   language
	terms  bleve.TokenFrequencies
	slab   []bleve.TokenFreq
	length int
	marks  []byte
	table  markTable
}

func (a *analyser) document(p *mirror.Page) *document {
	words := len(p.Text)/10 + 16
	d := &drafting{analyser: a, lang: a.tongues.of(p.Title, p.Text), terms: make(bleve.TokenFrequencies, words),
		marks: make([]byte, 0, 2*words)}
	s := scanner{fold: a.tongues.fold}
	d.add(&s, p.Title, weightTitle, true)
	d.marks = d.table.append(d.marks, partingMark)
	eachPart(p.Text, func(part string, heading bool) {
		if heading {
			d.add(&s, part, weightHeading, false)
			return
		}
		d.add(&s, part, weightText, false)
	})
	marks := d.marks
	for _, l := range p.Labels {
		d.add(&s, l, weightLabel, true)
	}
	return &document{id: documentID(p.Index), text: len(p.Title) + len(p.Text), fields: []bleve.Field{
		&field{name: fieldWords, options: bleve.IndexField, terms: d.terms},
		&field{name: fieldNumbers, options: bleve.IndexField, terms: numbers(p, d.length)},
		&field{name: fieldKeywords, options: bleve.IndexField | bleve.SkipFreqNorm, terms: keywords(p)},
		&field{name: fieldMarks, options: bleve.StoreField, value: marks},
	}}
}

// add takes the words of one part. Stop words count where all is given: a title
// of nothing else is still found.
func (d *drafting) add(s *scanner, part string, weight int, all bool) {
	s.reset(part)
	for t, ok := s.next(); ok; t, ok = s.next() {
		stop := !t.cjk && d.tongues.stop[d.lang][string(t.word)]
		if stop && !all {
			continue
		}
		term := d.term(d.lang, t)
		d.count(term, weight)
		if !stop {
			d.length++
			d.marks = d.table.append(d.marks, mark(term))
		}
	}
}

func (d *drafting) count(term string, weight int) {
	f := d.terms[term]
	if f == nil {
		if len(d.slab) == 0 {
			d.slab = make([]bleve.TokenFreq, 64)
		}
		f, d.slab = &d.slab[0], d.slab[1:]
		d.terms[term] = f
	}
	f.SetFrequency(f.Frequency() + weight)
}

// eachPart goes through rendered text by its headings (see markup: Markdown,
// where code stands in fences).
func eachPart(text string, each func(part string, heading bool)) {
	fenced, from := false, 0
	for at := 0; at < len(text); {
		end := at + strings.IndexByte(text[at:], '\n') + 1
		if end <= at {
			end = len(text)
		}
		line := text[at:end]
		if strings.HasPrefix(line, "```") || strings.HasPrefix(line, "~~~") {
			fenced = !fenced
		}
		if !fenced && line[0] == '#' {
			if from < at {
				each(text[from:at], false)
			}
			each(line, true)
			from = end
		}
		at = end
	}
	if from < len(text) {
		each(text[from:], false)
	}
}

func documentID(idx uint32) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], idx)
	return string(b[:])
}

func numbers(p *mirror.Page, length int) bleve.TokenFrequencies {
	saved := max(p.Version.CreatedAt.Unix(), 0)
	return frequencies(map[string]int{"i": int(p.Index) + 1, "l": length + 1, "u": int(saved) + 1})
}

func keywords(p *mirror.Page) bleve.TokenFrequencies {
	out := map[string]int{"T" + p.Type: 0, "S" + spaceKeyword(p.Integration, p.SpaceKey): 0}
	for _, l := range p.Labels {
		out["L"+l] = 0
	}
	for _, a := range []string{p.AuthorID, p.Version.AuthorID} {
		if a != "" {
			out["A"+a] = 0
		}
	}
	return frequencies(out)
}

func spaceKeyword(integration int64, key string) string {
	return strconv.FormatInt(integration, 10) + ":" + key
}

func frequencies(of map[string]int) bleve.TokenFrequencies {
	out := make(bleve.TokenFrequencies, len(of))
	slab := make([]bleve.TokenFreq, len(of))
	for term, n := range of {
		slab[0].SetFrequency(n)
		out[term], slab = &slab[0], slab[1:]
	}
	return out
}

func (d *document) ID() string { return d.id }

// Size counts what bleve has to hold of the document, roughly.
func (d *document) Size() int { return d.text }

func (d *document) VisitFields(visit bleve.FieldVisitor) {
	for _, f := range d.fields {
		visit(f)
	}
}

func (d *document) VisitComposite(bleve.CompositeFieldVisitor) {}
func (d *document) HasComposite() bool                         { return false }
func (d *document) NumPlainTextBytes() uint64                  { return uint64(d.text) }
func (d *document) StoredFieldsBytes() uint64                  { return 0 }
func (d *document) Indexed() bool                              { return true }

// AddIDField is called by bleve when the document is in a batch.
func (d *document) AddIDField() {
	id := &field{name: "_id", options: bleve.IndexField | bleve.StoreField, value: []byte(d.id)}
	id.terms = bleve.TokenFrequencies{d.id: &bleve.TokenFreq{}}
	id.terms[d.id].SetFrequency(1)
	d.fields = append(d.fields, id)
}

// field is analysed before bleve sees it. Its length is always 1: bleve writes
// it beside every frequency, and the true one is in the field of numbers.
type field struct {
	name    string
	options bleve.FieldIndexingOptions
	terms   bleve.TokenFrequencies
	value   []byte
}

func (f *field) Name() string                                     { return f.name }
func (f *field) Value() []byte                                    { return f.value }
func (f *field) ArrayPositions() []uint64                         { return nil }
func (f *field) EncodedFieldType() byte                           { return 't' }
func (f *field) Analyze()                                         {}
func (f *field) Options() bleve.FieldIndexingOptions              { return f.options }
func (f *field) AnalyzedLength() int                              { return 1 }
func (f *field) AnalyzedTokenFrequencies() bleve.TokenFrequencies { return f.terms }
func (f *field) NumPlainTextBytes() uint64                        { return uint64(len(f.value)) }

func (d *document) numbers() bleve.TokenFrequencies { return d.fields[1].AnalyzedTokenFrequencies() }

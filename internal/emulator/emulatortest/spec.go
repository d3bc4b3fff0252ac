package emulatortest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"confluence-mcp/internal/emulator"
)

const (
	v2Prefix = "/wiki/api/v2"
	v1Prefix = "/wiki/rest/api"
)

// specification is both documents, relaxed where the documents are known to
// disagree with the live service.
type specification struct {
	v1, v2 routers.Router
}

// errAbsent says that the documents are not on this machine.
var errAbsent = errors.New("no ../shared/spec beside the repository")

// documents reads both files once a test process.
var documents = sync.OnceValues(func() (*specification, error) {
	root, err := repositoryRoot()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(root, "..", "shared", "spec")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, errAbsent
	}
	v1, err := router(filepath.Join(dir, "confluence-cloud-v1.openapi.json"), false)
	if err != nil {
		return nil, err
	}
	v2, err := router(filepath.Join(dir, "confluence-cloud-v2.openapi.json"), true)
	if err != nil {
		return nil, err
	}
	return &specification{v1: v1, v2: v2}, nil
})

func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = up
	}
}

// router loads one document without its servers. keepRequired leaves required
// lists of answers alone; the v1 document's are longer than what is sent.
func router(file string, keepRequired bool) (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Base(file), err)
	}
	doc.Servers = nil
	doc.Paths.Delete(v1Prefix + "/contentbody/convert/async/{id}") // collides with …/async/{to}
	requests := relaxation{seen: map[*openapi3.Schema]bool{}}
	answers := relaxation{nullable: true, optional: !keepRequired, seen: map[*openapi3.Schema]bool{}}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			relaxParameters(op, item.Parameters)
			if op.RequestBody != nil {
				requests.content(op.RequestBody.Value.Content)
			}
			for _, answer := range op.Responses.Map() {
				answers.content(answer.Value.Content)
			}
		}
	}
	r, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("routing %s: %w", filepath.Base(file), err)
	}
	return r, nil
}

// relaxParameters lets ids in paths be any string.
func relaxParameters(op *openapi3.Operation, shared openapi3.Parameters) {
	op.Servers, op.Security = nil, nil
	for _, p := range slices.Concat(op.Parameters, shared) {
		if p.Value.In == openapi3.ParameterInPath && p.Value.Schema != nil && len(p.Value.Schema.Value.Enum) == 0 {
			p.Value.Schema = openapi3.NewStringSchema().NewRef()
		}
		if p.Value.Schema != nil {
			p.Value.Schema.Value.Default = nil // one default breaks its own enum
		}
	}
}

// relaxation makes schemas as loose as the live service is known to be.
type relaxation struct {
	nullable bool // everything can be null
	optional bool // nothing is required
	seen     map[*openapi3.Schema]bool
}

func (x relaxation) content(c openapi3.Content) {
	for kind, media := range c {
		x.schema(media.Schema)
		if plain, _, found := strings.Cut(kind, ";"); found {
			c[plain] = media // jsonHeader drops the charset of answers
		}
	}
}

func (x relaxation) schema(ref *openapi3.SchemaRef) {
	if ref == nil || ref.Value == nil || x.seen[ref.Value] {
		return
	}
	s := ref.Value
	x.seen[s] = true
	s.Nullable = s.Nullable || x.nullable
	if slices.Equal(s.Enum, []any{"user", "group", "role"}) {
		s.Enum = append(s.Enum, "access-class") // the live list of a space's permissions names access classes too
	}
	if x.optional {
		s.Required = nil
	}
	s.AnyOf = append(s.AnyOf, s.OneOf...) // the documents' alternatives overlap
	s.OneOf, s.Discriminator = nil, nil
	for _, p := range s.Properties {
		x.schema(p)
	}
	x.schema(s.Items)
	x.schema(s.AdditionalProperties.Schema)
	for _, p := range slices.Concat(s.AllOf, s.AnyOf) {
		x.schema(p)
	}
}

// errUnspecified says that no document knows the operation.
var errUnspecified = errors.New("operation is in no document")

// check holds one exchange against the documents. Requests are judged when the
// emulator accepted them, so that a test may send bad ones.
func (s *specification) check(ex emulator.Exchange) error {
	if ex.Gone {
		return errUnspecified
	}
	router, path := s.v1, ex.URL
	if rest, ok := strings.CutPrefix(ex.URL, v2Prefix); ok {
		router, path = s.v2, rest
	}
	req, err := http.NewRequest(ex.Method, "http://site"+path, strings.NewReader(string(ex.Body)))
	if err != nil {
		return err
	}
	req.Header = ex.Request.Clone()
	route, params, err := router.FindRoute(req)
	if err != nil {
		return errUnspecified
	}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options(ex)}
	if ex.Status >= http.StatusBadRequest {
		return errorShape(ex)
	}
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
		return fmt.Errorf("request was accepted but breaks the document: %w", err)
	}
	if err := unknownParameters(route.Operation, route.PathItem.Parameters, req.URL.Query()); err != nil {
		return err
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: ex.Status, Header: jsonHeader(ex.Response),
		Body: io.NopCloser(strings.NewReader(string(ex.Answer))), Options: options(ex),
	})
	if err != nil {
		return fmt.Errorf("answer %d breaks the document: %w", ex.Status, err)
	}
	return nil
}

func options(ex emulator.Exchange) *openapi3filter.Options {
	return &openapi3filter.Options{
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		IncludeResponseStatus: true,
		SkipSettingDefaults:   true,
		// Parts of an upload have the types of the files, which no schema knows.
		ExcludeRequestBody: strings.HasPrefix(ex.Request.Get("Content-Type"), "multipart/"),
	}
}

// jsonHeader drops the charset, which the documents do not spell out.
func jsonHeader(h http.Header) http.Header {
	h = h.Clone()
	if kind, _, ok := strings.Cut(h.Get("Content-Type"), ";"); ok {
		h.Set("Content-Type", kind)
	}
	return h
}

// unknownParameters finds misspelt query parameters, which the service would
// ignore without a word.
func unknownParameters(op *openapi3.Operation, shared openapi3.Parameters, q url.Values) error {
	for name := range q {
		known := slices.ContainsFunc(slices.Concat(op.Parameters, shared), func(p *openapi3.ParameterRef) bool {
			return p.Value.In == openapi3.ParameterInQuery && p.Value.Name == name
		})
		if !known && name != "next" { // v1 search puts next=true into its own links
			return fmt.Errorf("query parameter %q is not in the document", name)
		}
	}
	return nil
}

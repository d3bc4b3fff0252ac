package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxDepth bounds the nesting of a body the guard reads.
const maxDepth = 32

// parseStrict decodes one JSON value and refuses what two parsers might read
// differently: duplicate keys (in any case), trailing text, deep nesting.
func parseStrict(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := strictValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the JSON value")
	}
	return v, nil
}

func strictValue(dec *json.Decoder, depth int) (any, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth == maxDepth {
		return nil, errors.New("nested too deep")
	}
	if delim == '[' {
		return strictArray(dec, depth)
	}
	return strictObject(dec, depth)
}

func strictArray(dec *json.Decoder, depth int) (any, error) {
	list := []any{}
	for dec.More() {
		v, err := strictValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := dec.Token()
	return list, err
}

func strictObject(dec *json.Decoder, depth int) (any, error) {
	o, seen := map[string]any{}, map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, _ := t.(string)
		if folded := strings.ToLower(key); seen[folded] {
			return nil, fmt.Errorf("duplicate key %q", key)
		} else {
			seen[folded] = true
		}
		if o[key], err = strictValue(dec, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := dec.Token()
	return o, err
}

package emulatortest

import (
	"encoding/json"
	"fmt"
	"strings"

	"confluence-mcp/internal/emulator"
)

// errorShape holds JSON error bodies against the two shapes that were measured
// on the live service; the documents do not describe them.
func errorShape(ex emulator.Exchange) error {
	if !strings.HasPrefix(ex.Response.Get("Content-Type"), "application/json") {
		return nil // HTML and text happen
	}
	if strings.HasPrefix(ex.URL, v2Prefix) {
		return v2Error(ex)
	}
	var body struct {
		StatusCode int     `json:"statusCode"`
		Message    *string `json:"message"`
	}
	if err := json.Unmarshal(ex.Answer, &body); err != nil {
		return fmt.Errorf("error body: %w", err)
	}
	if body.StatusCode != ex.Status || body.Message == nil {
		return fmt.Errorf("error body of status %d lacks statusCode or message: %.200s", ex.Status, ex.Answer)
	}
	return nil
}

func v2Error(ex emulator.Exchange) error {
	var body struct {
		Errors []struct {
			Status int    `json:"status"`
			Code   string `json:"code"`
			Title  string `json:"title"`
		} `json:"errors"`
		StatusCode int `json:"statusCode"` // a body that is too large is refused in the older shape
	}
	if err := json.Unmarshal(ex.Answer, &body); err != nil {
		return fmt.Errorf("error body: %w", err)
	}
	if body.StatusCode == ex.Status {
		return nil
	}
	if len(body.Errors) == 0 || body.Errors[0].Status != ex.Status || body.Errors[0].Code == "" || body.Errors[0].Title == "" {
		return fmt.Errorf("error body of status %d lacks errors[0]: %.200s", ex.Status, ex.Answer)
	}
	return nil
}

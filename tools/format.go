package tools

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Formats of string arguments, named in the tag `is`. Ids and keys end up in
// paths of requests, so they are narrower than what Confluence would take.
const (
	formatID         = "id"         // digits, as Confluence numbers content
	formatAttachment = "attachment" // digits, or att and digits
	formatKey        = "key"        // a space key; personal spaces are refused
	formatNewKey     = "newkey"     // a key that Confluence lets one choose
	formatLabel      = "label"
	formatFile       = "file"
	formatLine       = "line" // one line without control characters
	formatUser       = "user" // account id or user key
	formatTime       = "time" // 2026-01-31, RFC 3339, or an age such as 7d
	formatRange      = "range"
)

// checkFormat refuses s when it does not have the format; the code of the
// refusal is "input." and the format's own word.
func checkFormat(format, path, s string) error {
	var fine bool
	code := "invalid"
	must := ""
	switch format {
	case formatID:
		fine, code, must = isID(s), "id", "1 to 19 digits"
	case formatAttachment:
		fine, code, must = isID(strings.TrimPrefix(s, "att")), "id", "digits, or att and digits"
	case formatKey:
		fine, code, must = isKey(s), "space_key", "letters, digits and _ (personal spaces are not served)"
	case formatNewKey:
		fine, code, must = isKey(s) && !strings.Contains(s, "_"), "space_key", "letters and digits only"
	case formatLabel:
		fine, code, must = isLabel(s), "label", "1 to 255 characters without spaces, commas, colons or other punctuation"
	case formatFile:
		fine, code, must = isFileName(s), "file_name", "a plain file name of at most 255 bytes: no path, no control or invisible characters"
	case formatLine:
		fine, must = isLine(s), "one line without control characters"
	case formatUser:
		fine, code, must = isUser(s), "id", "an account id: letters, digits, - : and _"
	case formatTime:
		_, ok := parseSince(s, time.Unix(0, 0))
		fine, must = ok, "a date (2026-01-31), a time (2026-01-31T09:00:00Z) or an age (12h, 7d, 4w)"
	case formatRange:
		_, _, fine = parseRange(s)
		must = "two byte positions, first and last"
	default:
		return nil
	}
	if fine {
		return nil
	}
	return invalid(code, fmt.Sprintf("%s is %s; it must be %s.", path, quoteShort(s), must), fmt.Sprintf("Send for example %s: %q.", path, formatSample(format)))
}

func formatSample(format string) string {
	switch format {
	case formatID:
		return "123456"
	case formatAttachment:
		return "att123456"
	case formatKey, formatNewKey:
		return "ENG"
	case formatLabel:
		return "runbook"
	case formatFile:
		return "report.pdf"
	case formatUser:
		return "5b10ac8d82e05b22cc7d4ef5"
	case formatTime:
		return "7d"
	case formatRange:
		return "0-65535"
	default:
		return "text"
	}
}

func isID(s string) bool {
	return len(s) >= 1 && len(s) <= 19 && strings.Trim(s, "0123456789") == ""
}

func isKey(s string) bool {
	if len(s) < 1 || len(s) > 255 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !isWord(r) && r != '_' })
}

func isWord(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// isLabel leaves out what Confluence itself refuses in a label.
func isLabel(s string) bool {
	if len(s) < 1 || len(s) > 255 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || hidden(r) || strings.ContainsRune(`:;,.?&[]()#^*@!<>/\"'`, r)
	})
}

func isFileName(s string) bool {
	if len(s) < 1 || len(s) > 255 || strings.Trim(s, ". ") == "" || s != strings.TrimSpace(s) {
		return false
	}
	if strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || hidden(r) || strings.ContainsRune(`/\:*?"<>|%`, r)
	}) {
		return false
	}
	return !strings.Contains(s, "..") && !reservedName(s)
}

// reservedName finds the device names of Windows, with or without extension.
func reservedName(s string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(s), ".")
	switch stem {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(stem) == 4 && (strings.HasPrefix(stem, "COM") || strings.HasPrefix(stem, "LPT")) && stem[3] >= '1' && stem[3] <= '9'
}

func isLine(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || hidden(r) })
}

func isUser(s string) bool {
	if len(s) < 1 || len(s) > 128 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !isWord(r) && !strings.ContainsRune("-:_", r) })
}

// parseSince reads a point in time, given as such or as an age.
func parseSince(s string, now time.Time) (time.Time, bool) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	units := map[byte]time.Duration{'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if s == "" || units[s[len(s)-1]] == 0 {
		return time.Time{}, false
	}
	var n int
	digits := s[:len(s)-1]
	if len(digits) < 1 || len(digits) > 4 || strings.Trim(digits, "0123456789") != "" {
		return time.Time{}, false
	}
	for _, d := range digits {
		n = n*10 + int(d-'0')
	}
	return now.Add(-time.Duration(n) * units[s[len(s)-1]]).UTC(), true
}

// parseRange reads "first-last", both included and counted from 0. As in HTTP,
// "bytes=" may stand before it, and without last it goes on to the end.
func parseRange(s string) (first, last int64, ok bool) {
	s = strings.TrimPrefix(s, "bytes=")
	if strings.HasSuffix(s, "-") {
		s += strconv.FormatInt(math.MaxInt64, 10)
	}
	var n int
	if n, _ = fmt.Sscanf(s, "%d-%d", &first, &last); n != 2 {
		return 0, 0, false
	}
	return first, last, fmt.Sprintf("%d-%d", first, last) == s && first >= 0 && last >= first
}

// tinyID decodes the id in a short address: base64 of its bytes, lowest first,
// with - for / and _ for +, trailing zero bytes left out.
func tinyID(s string) (string, bool) {
	const full = 11 // characters of eight bytes
	if len(s) > full {
		return "", false
	}
	s = strings.NewReplacer("-", "/", "_", "+").Replace(s) + strings.Repeat("A", full-len(s))
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil || len(b) != 8 {
		return "", false
	}
	n := binary.LittleEndian.Uint64(b)
	return strconv.FormatUint(n, 10), n > 0 && n < 1<<63
}

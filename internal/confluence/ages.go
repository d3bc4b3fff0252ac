package confluence

import (
	"fmt"
	"time"
)

// Defaults of how old the rights of a copy may be, as settings are written.
const (
	DefaultRightsAge     = "24h"
	DefaultRightsHardAge = "168h"
)

// Bounds of both.
const (
	leastRightsAge = time.Minute
	mostRightsAge  = 90 * 24 * time.Hour
)

// RightsAges reads the settings aclMaxAge, from which on what a copy shows is
// marked as stale, and aclHardMaxAge, from which on it is shown to nobody. Empty
// means the default. An error says in a sentence what is wrong.
func RightsAges(soft, hard string) (maxAge, hardMaxAge time.Duration, err error) {
	for _, one := range []struct {
		name, text, otherwise string
		to                    *time.Duration
	}{{"aclMaxAge", soft, DefaultRightsAge, &maxAge}, {"aclHardMaxAge", hard, DefaultRightsHardAge, &hardMaxAge}} {
		text := one.text
		if text == "" {
			text = one.otherwise
		}
		d, err := time.ParseDuration(text)
		if err != nil || d < leastRightsAge || d > mostRightsAge {
			return 0, 0, fmt.Errorf("%s: %q is not a duration from a minute to 2160h (90 days), such as %s", one.name, text, one.otherwise)
		}
		*one.to = d
	}
	if maxAge > hardMaxAge {
		return 0, 0, fmt.Errorf("aclMaxAge is longer than aclHardMaxAge: %s and %s", maxAge, hardMaxAge)
	}
	return maxAge, hardMaxAge, nil
}

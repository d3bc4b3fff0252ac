package tools

import (
	"net/url"
	"slices"
	"strings"
)

// defaultChars is how much text a read shows unless asked otherwise: about two
// thousand tokens.
const defaultChars = 8000

// home is the site's own host; links to it are not external.
func (k *call) home() string {
	u, err := url.Parse(k.info.BaseURL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

func (k *call) newUntrusted() untrusted {
	return untrusted{Nonce: k.nonce, ExternalHosts: []string{}}
}

// add counts one more piece of text into what is said about the answer.
func (u *untrusted) add(g guarded) {
	u.HiddenRemoved += g.Hidden
	for _, h := range g.Hosts {
		if !slices.Contains(u.ExternalHosts, h) {
			u.ExternalHosts = append(u.ExternalHosts, h)
		}
	}
	slices.Sort(u.ExternalHosts)
}

// notes says in words what was removed and where links lead.
func (u untrusted) notes() string {
	var b strings.Builder
	if u.HiddenRemoved > 0 {
		b.WriteString("\n[invisible characters were removed]")
	}
	if len(u.ExternalHosts) > 0 {
		b.WriteString("\n[links to other hosts: " + strings.Join(u.ExternalHosts, ", ") + "]")
	}
	return b.String()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

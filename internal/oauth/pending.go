package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"sync"
	"time"

	"confluence-mcp/internal/confluence"
)

const (
	stateLife  = 10 * time.Minute
	maxPending = 100
)

// pending are the consents that have begun and were not called back yet. The
// zero value is ready.
type pending struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]*consent // by the digest of the state
}

// consent is one of them.
type consent struct {
	begin    Begin
	verifier string
	browser  [sha256.Size]byte
	expires  time.Time
	done     chan struct{} // closed when outcome and err are set
	outcome  Outcome
	err      error
}

func (c *consent) end(o Outcome, err error) {
	c.outcome, c.err = o, err
	close(c.done)
}

// random is 256 bits for a URL.
func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func digest(s string) [sha256.Size]byte { return sha256.Sum256([]byte(s)) }

// add keeps a consent under a new state. Those nobody came back for make room, and
// so does one that the same person has begun before. People fill half of the room
// only: an administrator can always connect an integration.
func (p *pending) add(c *consent, now time.Time) (state string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	most := maxPending
	if c.begin.Role == Person {
		most = maxPending / 2
	}
	for d, old := range p.all {
		switch {
		case !now.Before(old.expires):
			delete(p.all, d)
			old.end(Outcome{}, tooLate())
		case c.begin.Role == Person && old.begin.Role == Person && old.begin.Integration == c.begin.Integration && old.begin.Account == c.begin.Account:
			delete(p.all, d)
			old.end(Outcome{}, badState("it was begun anew since"))
		}
	}
	if len(p.all) >= most {
		return "", &confluence.Error{Kind: confluence.Limited, Op: "connect", Message: "too many connections are being made at once", Next: "Finish or wait for some; each is forgotten after ten minutes.", RetryAfter: time.Minute}
	}
	if p.all == nil {
		p.all = map[[sha256.Size]byte]*consent{}
	}
	state = random()
	p.all[digest(state)] = c
	return state, nil
}

// take uses a state up, whatever becomes of it then. Kind Denied, code
// auth.state, when it is unknown, used, too old or another browser's.
func (p *pending) take(state, browser string, now time.Time) (*consent, error) {
	p.mu.Lock()
	d := digest(state)
	c, ok := p.all[d]
	delete(p.all, d)
	p.mu.Unlock()
	if !ok {
		return nil, badState("this server does not wait for this answer: it was used already, is too old, or was not asked for here")
	}
	theirs := digest(browser)
	var err error
	switch {
	case !now.Before(c.expires):
		err = tooLate()
	case subtle.ConstantTimeCompare(theirs[:], c.browser[:]) != 1:
		err = badState("the connection was begun in another browser")
	}
	if err != nil {
		c.end(Outcome{}, err)
		return nil, err
	}
	return c, nil
}

// forget ends the consents of a grant that is being disconnected.
func (p *pending) forget(integration int64, role Role, account string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for d, c := range p.all {
		b := c.begin
		if b.Integration == integration && (role == Service || b.Role == role && b.Account == account) {
			delete(p.all, d)
			c.end(Outcome{}, badState("the integration was disconnected meanwhile"))
		}
	}
}

func tooLate() error { return badState("it took longer than ten minutes") }

func badState(message string) error {
	return &confluence.Error{Kind: confluence.Denied, Code: "auth.state", Op: "connect", Message: message, Next: "Begin the connection again. Nothing was changed."}
}

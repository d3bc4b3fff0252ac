package retrieve

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

// Integration is one connected site, as the mirror was told, and its edition
// (confluence.Cloud or confluence.DataCenter), on which the addresses of
// headings depend.
type Integration struct {
	guard.Integration
	Edition string
	Unread  bool // no pass has read all of it yet: what is found is not all there is
}

// Config is what an [Engine] needs. Mirror, Index, Integrations and Now must be
// set.
type Config struct {
	Mirror *mirror.Mirror
	Index  Index
	// Integrations lists what is connected now; the first is the one meant by a
	// caller without a user who names none.
	Integrations func() []Integration
	// Refresh reads again who a user is and which groups he is in, and writes it
	// into the mirror. who is his id, or whatever names him where he is not known
	// yet. nil: memberships are as old as the last sync.
	Refresh func(ctx context.Context, integration int64, who string) error
	Now     func() time.Time
	Logger  *slog.Logger // nil: nothing is logged
	// CursorKey is the 32 bytes cursors are sealed with; nil: drawn, and cursors
	// end with the engine.
	CursorKey []byte
}

// Engine answers questions. It is safe for concurrent use.
type Engine struct {
	cfg     Config
	cursors cipher.AEAD // with a random nonce in front of what is sealed
	members members
}

// New makes an engine.
func New(cfg Config) (*Engine, error) {
	if cfg.Mirror == nil || cfg.Index == nil || cfg.Integrations == nil || cfg.Now == nil {
		return nil, errors.New("retrieve: Config.Mirror, Index, Integrations and Now must be set")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.CursorKey == nil {
		cfg.CursorKey = make([]byte, 32)
		_, _ = rand.Read(cfg.CursorKey) // it never fails
	}
	cursors, err := sealing(cfg.CursorKey)
	if err != nil {
		return nil, fmt.Errorf("retrieve: Config.CursorKey: %w", err)
	}
	return &Engine{cfg: cfg, cursors: cursors, members: members{read: map[member]time.Time{}}}, nil
}

func sealing(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Integration finds a connected one by its name or its id. The empty name means
// the only one there is.
func (e *Engine) Integration(name string) (Integration, bool) {
	all := e.cfg.Integrations()
	if name == "" {
		if len(all) != 1 {
			return Integration{}, false
		}
		return all[0], true
	}
	for _, i := range all {
		if i.Name == name {
			return i, true
		}
	}
	for _, i := range all {
		if strconv.FormatInt(i.ID, 10) == name {
			return i, true
		}
	}
	return Integration{}, false
}

// First gives the integration meant by a caller without a user who names none;
// false when nothing is connected.
func (e *Engine) First() (Integration, bool) {
	all := e.cfg.Integrations()
	if len(all) == 0 {
		return Integration{}, false
	}
	return all[0], true
}

package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// How keys are kept. Whoever holds a token can make its key id unknown, so
// what makes us ask the issuer is counted, not what asks for it.
const (
	keysFresh   = 10 * time.Minute // then they are asked for again, behind a request
	keysGood    = 24 * time.Hour   // then nothing is accepted until the issuer answers
	askInterval = time.Minute      // between two questions, whatever asks
	firstPause  = 2 * time.Second  // after a failure with no keys at all; doubles up to askInterval
	keyPatience = 5 * time.Second  // how long a request waits for keys
	maxKeys     = 100
)

// keys are the public keys of one issuer, as it last gave them.
type keys struct {
	source *source
	now    func() time.Time
	logger *slog.Logger

	mu       sync.Mutex
	known    []jose.JSONWebKey
	got      time.Time     // when known came
	tried    time.Time     // when the issuer was last asked
	failures int           // in a row
	asking   chan struct{} // closed when the question under way has its answer; nil when there is none
}

// verify checks a signature against the keys with the token's key id, and
// gives the payload. Only a key id nobody knows makes it ask the issuer; a
// signature that is wrong under a known key is wrong.
func (k *keys) verify(ctx context.Context, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, refused("it is not a signed token")
	}
	h := jws.Signatures[0].Header
	fitting, asked := k.find(h)
	if len(fitting) == 0 && asked != nil {
		if err := wait(ctx, asked); err != nil {
			return nil, refused("its issuer did not answer in time")
		}
		fitting, _ = k.find(h)
	}
	if len(fitting) == 0 {
		return nil, refused("its key is not known, or the issuer's keys could not be had")
	}
	for _, key := range fitting {
		if payload, err := jws.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, refused("its signature is not good")
}

func wait(ctx context.Context, asked <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, keyPatience)
	defer cancel()
	select {
	case <-asked:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// find gives the keys a token with this header may be signed with. When they
// are old or there is none it asks the issuer, if it may; asked is closed when
// the answer is there, and nil when nobody asks.
func (k *keys) find(h jose.Header) (fitting []jose.JSONWebKey, asked <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := k.now().Sub(k.got)
	if !k.got.IsZero() && age < keysGood {
		for _, key := range k.known {
			if (h.KeyID == "" || key.KeyID == h.KeyID) && (key.Algorithm == "" || key.Algorithm == h.Algorithm) && fits(key.Key, h.Algorithm) {
				fitting = append(fitting, key)
			}
		}
	}
	if len(fitting) == 0 || age >= keysFresh {
		k.ask()
	}
	if k.asking == nil {
		return fitting, nil
	}
	return fitting, k.asking
}

// ask starts one question to the issuer, unless one is under way or the last
// was too short a while ago. The lock is held.
func (k *keys) ask() {
	pause := askInterval
	if k.got.IsZero() {
		pause = min(askInterval, firstPause<<min(k.failures, 10))
	}
	if k.asking != nil || !k.tried.IsZero() && k.now().Sub(k.tried) < pause {
		return
	}
	k.tried, k.asking = k.now(), make(chan struct{})
	go k.answer(k.asking)
}

// answer fetches the keys for everybody who waits for them; it ends with the
// fetch's own time limit.
func (k *keys) answer(done chan<- struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	body, err := k.source.fetch(ctx)
	var usable []jose.JSONWebKey
	if err == nil {
		usable, err = parseKeys(body)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asking = nil
	close(done)
	if err != nil {
		k.failures++
		k.logger.Warn("the keys of an issuer could not be had", "issuer", k.source.issuer, "err", err, "last_good", k.got)
		return
	}
	k.known, k.got, k.failures = usable, k.now(), 0
}

// parseKeys keeps the keys that can sign tokens here. A key of a kind this
// server does not know leaves the others as they are.
func parseKeys(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil || len(set.Keys) > maxKeys {
		return nil, errors.New("its keys are not a list of keys")
	}
	var out []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) == nil && key.Use != "enc" && key.IsPublic() && key.Valid() && strong(key.Key) {
			out = append(out, key)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("none of its keys can be used")
	}
	return out, nil
}

func strong(key any) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= 2048 && key.N.BitLen() <= 8192
	case *ecdsa.PublicKey:
		return key.Curve.Params().BitSize == 256
	case ed25519.PublicKey:
		return true
	}
	return false
}

// fits reports whether a key is of the kind an algorithm wants.
func fits(key any, algorithm string) bool {
	switch key.(type) {
	case *rsa.PublicKey:
		return algorithm == string(jose.RS256)
	case *ecdsa.PublicKey:
		return algorithm == string(jose.ES256)
	case ed25519.PublicKey:
		return algorithm == string(jose.EdDSA)
	}
	return false
}

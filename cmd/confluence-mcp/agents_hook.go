package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/reach"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

// signingPrefix marks the secrets that sign notifications.
const signingPrefix = "cmh_"

// keptHook is what is sealed of a hook: addresses of receivers often hold a
// secret too.
type keptHook struct {
	URL    string `json:"url"`
	Secret string `json:"secret"`
}

// newHook is a hook with a signing secret of its own, sealed for its agent.
// Kind Invalid when the address is not one to send to.
func newHook(ctx context.Context, v *vault, agent, address string) (host string, sealed []byte, secret seal.Secret, err error) {
	u, err := reach.CheckURL(address)
	if err != nil {
		return "", nil, secret, &confluence.Error{Kind: confluence.Invalid, Code: "input.notify_url", Op: "agent", Ref: agent, Message: err.Error(),
			Next: "Give an https address without user name and fragment, for example https://hooks.acme.example/approvals."}
	}
	var b [32]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	secret = seal.NewSecret(signingPrefix + base64.RawURLEncoding.EncodeToString(b[:]))
	plain, err := json.Marshal(keptHook{URL: address, Secret: secret.Reveal()})
	if err != nil {
		return "", nil, secret, fmt.Errorf("hook of agent %s: %w", agent, err)
	}
	sealed, err = v.Seal(ctx, store.HookPlace(agent), seal.NewSecret(string(plain)))
	return u.Host, sealed, secret, err
}

// hookOf finds where an agent's approvals are told: by the configuration file,
// else by what is kept.
func (e *engine) hookOf(ctx context.Context, agent string) (approval.Hook, bool, error) {
	for _, a := range e.cfg.Agents {
		if a.Name == agent {
			return approval.Hook{URL: a.Notify.URL, Secret: a.Notify.Secret.Reveal()}, a.Notify.URL != "", nil
		}
	}
	sealed, err := e.precious.Hook(ctx, agent)
	if err != nil || sealed == nil {
		return approval.Hook{}, false, err
	}
	plain, err := e.vault.Open(ctx, store.HookPlace(agent), sealed)
	if err != nil {
		return approval.Hook{}, false, err
	}
	var h keptHook
	if err := json.Unmarshal([]byte(plain.Reveal()), &h); err != nil {
		return approval.Hook{}, false, fmt.Errorf("hook of agent %s: %w", agent, err)
	}
	return approval.Hook(h), true, nil
}

// hostOf is the host of an address that was judged already; the rest of it may
// hold a secret.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// vaultOf seals what a command keeps.
func (p program) vaultOf(cfg config.Config, s *store.Precious) *vault {
	if p.owned != nil {
		return p.owned.vault
	}
	return &vault{choice: p.sealChoice(cfg, ""), keys: s}
}

// agentNotFile refuses to change an agent of the configuration file here.
func agentNotFile(cfg config.Config, name string) error {
	if !declared(cfg, name) {
		return nil
	}
	return &confluence.Error{Kind: confluence.Conflict, Code: "conflict.file", Op: "change agent", Ref: name,
		Message: "This agent is in the configuration file.", Next: "Change notify there."}
}

func (p program) agentsNotifyCommand() *cobra.Command {
	var at place
	var none, asJSON bool
	c := &cobra.Command{Use: "notify NAME [URL]", Short: "Tell an agent's approvals to an address, and print the secret that signs, once",
		Example: `  confluence-mcp agents notify helpdesk https://hooks.acme.example/approvals
  confluence-mcp agents notify helpdesk --none`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			if none != (len(args) == 1) {
				return usage("give either an address or --none")
			}
			return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error {
				cfg, err := p.configured(at)
				if err != nil {
					return err
				}
				if err := agentNotFile(cfg, args[0]); err != nil {
					return err
				}
				put := func(host string, sealed []byte) error {
					return p.changes(s).make(ctx, atShell(), change{agentChanged, anAgent, args[0]}, func() error { return s.PutHook(ctx, args[0], host, sealed) })
				}
				if none {
					return put("", nil)
				}
				host, sealed, secret, err := newHook(ctx, p.vaultOf(cfg, s), args[0], args[1])
				if err != nil {
					return err
				}
				if err := put(host, sealed); err != nil {
					return err
				}
				return p.printSigning(args[0], host, secret, asJSON)
			})
		}}
	at.flags(c)
	c.Flags().BoolVar(&none, "none", false, "tell nobody any more")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p program) printSigning(agent, host string, secret seal.Secret, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(p.out).Encode(map[string]string{"name": agent, "notify_host": host, "notify_secret": secret.Reveal()})
	}
	_, err := fmt.Fprintf(p.out, "%s\n", secret.Reveal())
	fmt.Fprintf(p.errOut, "This signs what %s is told at %s. It is not shown again.\n", agent, host)
	return err
}

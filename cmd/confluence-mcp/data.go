package main

import (
	"context"
	"errors"

	"confluence-mcp/internal/owner"
	"confluence-mcp/store"
)

// withPrecious runs work on the precious database of the data folder: in the
// owner's process when there is one, else as the owner for as long as it lasts.
func (p program) withPrecious(ctx context.Context, pl place, work func(context.Context, *store.Precious) error) error {
	if p.owned != nil {
		return work(ctx, p.owned.precious)
	}
	cfg, err := p.load(pl)
	if err != nil {
		return err
	}
	own, err := owner.Claim(cfg.DataDir)
	var held *owner.Held
	if errors.As(err, &held) {
		return p.runInOwner(ctx, cfg.DataDir)
	}
	if err != nil {
		return err
	}
	defer func() { _ = own.Close() }() // the lock ends with the process anyway
	precious, err := store.OpenPrecious(ctx, cfg.DataDir, p.now)
	if err != nil {
		return err
	}
	precious.SealWith(&vault{choice: p.sealChoice(cfg, ""), keys: precious})
	return errors.Join(work(ctx, precious), precious.Close())
}

// runInOwner has the owner run this very command line. What the command said
// and how it ended come from there.
func (p program) runInOwner(ctx context.Context, dir string) error {
	code, err := owner.Run(ctx, dir, owner.Command{Args: p.args, In: p.given}, p.out, p.errOut)
	if err != nil {
		return err
	}
	if code != exitOK {
		return &exitError{code, errors.New("")}
	}
	return nil
}

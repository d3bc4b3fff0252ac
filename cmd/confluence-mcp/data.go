package main

import (
	"context"
	"errors"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/owner"
	"confluence-mcp/store"
)

// withPrecious runs work on the precious database of the data folder: in the
// owner's process when there is one, else as the owner for as long as it lasts.
func (p program) withPrecious(ctx context.Context, pl place, work func(context.Context, *store.Precious) error) error {
	if p.owned != nil {
		return work(ctx, p.owned.precious)
	}
	return p.asOwner(ctx, pl, func(cfg config.Config, own *owner.Owner) error {
		precious, v, err := p.openPrecious(ctx, cfg)
		if err != nil {
			return err
		}
		h := p.hostLater(ctx, cfg, precious, v)
		return errors.Join(p.beside(ctx, own, h, func() error { return work(ctx, precious) }), h.close(), precious.Close())
	})
}

// withEngine runs work on the engine of the data folder, in the same way.
func (p program) withEngine(ctx context.Context, pl place, work func(context.Context, *engine) error) error {
	if p.owned != nil {
		return work(ctx, p.owned)
	}
	return p.asOwner(ctx, pl, func(cfg config.Config, own *owner.Owner) error {
		e, err := p.open(ctx, cfg)
		if err != nil {
			return err
		}
		return errors.Join(p.beside(ctx, own, p.hostOn(e), func() error { return work(ctx, e) }), e.close())
	})
}

// asOwner runs work as the owner of the data folder; when somebody owns it
// already, he runs this very command line instead. One who is just starting or
// ending, or a command of another configuration, is waited for.
func (p program) asOwner(ctx context.Context, pl place, work func(config.Config, *owner.Owner) error) error {
	cfg, err := p.load(pl)
	if err != nil {
		return err
	}
	giveUp := p.now().Add(ownerPatience)
	for {
		own, err := owner.Claim(cfg.DataDir)
		if err == nil {
			defer func() { _ = own.Close() }() // the lock ends with the process anyway
			return work(cfg, own)
		}
		var held *owner.Held
		if !errors.As(err, &held) {
			return err
		}
		err = p.runInOwner(ctx, cfg)
		var away *owner.Away
		if !errors.As(err, &away) {
			return err
		}
		if p.now().After(giveUp) {
			return &confluence.Error{Kind: confluence.Unavailable, Code: "store.owned", Op: "reach the owner", Message: held.Error() + ", which does not answer: " + away.Error(), Err: err,
				Next: "Try again. If it stays so, end that process, or name another folder with --data-dir."}
		}
		if err := confluence.Pause(ctx, ownerPause); err != nil {
			return err
		}
	}
}

// configured is the configuration a command works with: the owner's in the
// owner's process, else what is configured here.
func (p program) configured(pl place) (config.Config, error) {
	if p.owned != nil {
		return p.owned.cfg, nil
	}
	return p.load(pl)
}

// runInOwner has the owner run this very command line. What the command said
// and how it ended come from there.
func (p program) runInOwner(ctx context.Context, cfg config.Config) error {
	code, err := owner.Run(ctx, cfg.DataDir, owner.Command{Args: p.args, In: p.given, Config: workDigest(cfg)}, p.out, p.errOut)
	if err != nil {
		return err
	}
	if code != exitOK {
		return &exitError{code, errors.New("")}
	}
	return nil
}

package mirror

import (
	"context"
	"database/sql"
	"errors"

	"confluence-mcp/store/guard"
)

// batch is one transaction: what is done to the rows and, in the same order, to
// the rights in memory.
type batch struct {
	*sql.Tx
	ctx    context.Context
	rights []func(*guard.Forest)
	logged map[uint32]bool
	stmts  map[string]*sql.Stmt // end with the transaction
	known  map[string]node      // of one integration, by id; nil: rows are looked up
}

func (b *batch) exec(query string, args ...any) error {
	_, err := b.run(query, args...)
	return err
}

func (b *batch) run(query string, args ...any) (sql.Result, error) {
	s, err := b.prepared(query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(b.ctx, args...)
}

// one reads at most one row.
func (b *batch) one(query string, args ...any) *sql.Row {
	s, err := b.prepared(query)
	if err != nil {
		return b.QueryRowContext(b.ctx, query, args...) // says the same error
	}
	return s.QueryRowContext(b.ctx, args...)
}

func (b *batch) prepared(query string) (*sql.Stmt, error) {
	if s, ok := b.stmts[query]; ok {
		return s, nil
	}
	s, err := b.PrepareContext(b.ctx, query)
	if err == nil {
		b.stmts[query] = s
	}
	return s, err
}

// changed logs a node for those who follow, once a batch.
func (b *batch) changed(idx uint32, deleted bool) error {
	if b.logged[idx] {
		return nil
	}
	b.logged[idx] = true
	return b.exec("INSERT INTO change(node, deleted) VALUES (?, ?)", idx, deleted)
}

// commit runs fn in a transaction and publishes rows and rights as one: readers
// see both or neither.
func (m *Mirror) commit(ctx context.Context, op string, fn func(*batch) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stale {
		if err := m.load(ctx); err != nil {
			return m.failure(op, err)
		}
	}
	tx, err := m.write.BeginTx(ctx, nil)
	if err != nil {
		return m.failure(op, err)
	}
	b := &batch{Tx: tx, ctx: ctx, logged: map[uint32]bool{}, stmts: map[string]*sql.Stmt{}}
	epoch := m.published.Load().snapshot.Epoch() + 1
	err = fn(b)
	if err == nil {
		err = b.exec("UPDATE state SET epoch = ?", epoch)
	}
	if err != nil {
		return m.failure(op, errors.Join(err, tx.Rollback()))
	}
	for _, change := range b.rights {
		change(m.forest)
	}
	next := m.forest.Snapshot(epoch)
	if err := tx.Commit(); err != nil {
		m.stale = true // whether it took place is what the file says
		return m.failure(op, errors.Join(err, m.load(context.WithoutCancel(ctx))))
	}
	m.publish(next)
	return m.failure(op, m.checkpoint(ctx))
}

func (m *Mirror) publish(s *guard.Snapshot) {
	old := m.published.Swap(&publication{snapshot: s, next: make(chan struct{})})
	if old != nil {
		close(old.next)
	}
}

// checkpoint moves what was committed into the main file, as far as readers let
// it. The batch is safe without it.
func (m *Mirror) checkpoint(ctx context.Context) error {
	var busy, pages, moved int
	err := m.write.QueryRowContext(context.WithoutCancel(ctx), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &moved)
	if code := failure("checkpoint", err); code != nil && isFull(code) {
		return nil // the batch is in the log, and the next write will say it
	}
	return err
}

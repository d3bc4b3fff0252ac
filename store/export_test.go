package store

// LimitPages makes the database full, as a full disk would.
func LimitPages(p *Precious) error {
	_, err := p.db.Exec("PRAGMA max_page_count = 40")
	return err
}

// Exec runs any statement, as somebody with the file in hand could.
func Exec(p *Precious, statement string) error {
	_, err := p.db.Exec(statement)
	return err
}

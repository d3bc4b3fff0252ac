package mirror

// Count counts rows of a table.
func Count(m *Mirror, table string) (n int, err error) {
	err = m.write.QueryRow("SELECT count(*) FROM " + table).Scan(&n)
	return n, err
}

// Exec runs any statement, as somebody with the file in hand could.
func Exec(m *Mirror, statement string) error {
	_, err := m.write.Exec(statement)
	return err
}

package mirror

// Exec runs any statement, as somebody with the file in hand could.
func Exec(m *Mirror, statement string) error {
	_, err := m.write.Exec(statement)
	return err
}

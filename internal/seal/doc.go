// Package seal holds secrets, in memory and at rest.
//
// In memory a [Secret] is the only form in which a token or password travels
// through the program: whatever prints, logs or encodes it gets the word
// "redacted".
//
// At rest a secret is a sealed record: AES-256-GCM under a data key, bound to
// the [Place] it lies in, so that a record that was changed, moved to another
// row or brought from another folder is refused as a whole. Data keys lie in the
// database, wrapped by the master key of a [KeyProvider]: a file, an environment
// variable, the keyring of the operating system or Azure Key Vault. Whoever
// copies the database without the master key has nothing.
//
// A [Ring] is the opened data keys. [Ring.Rotate] replaces master and data key:
// all records change in one transaction, and the old keys go only when it is
// through, so that a process that dies on the way has lost nothing.
//
// The package knows no table and no service: [Keys] is what it needs of a
// database. Start reading with [OpenRing].
package seal

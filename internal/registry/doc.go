// Package registry knows which integrations there are and keeps the rules by
// which they change: those of the configuration file, which only the file
// changes, and those made by REST or the command line.
//
// Whatever is stored takes effect at once, and what cannot take effect is not
// stored: an integration whose rights are to be synced is tested first, because
// rights that cannot be read would be rights nobody has. A setting that is left
// out of a change stays as it is, so that nothing is switched off by accident.
//
// The package knows no SQL and no HTTP. Start reading with [Registry.Add].
package registry

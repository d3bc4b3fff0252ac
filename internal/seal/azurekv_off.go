//go:build !azurekv

package seal

// openAzure says why there is no Azure Key Vault in this binary.
func openAzure(Choice) (KeyProvider, error) {
	return nil, badKey("this binary is built without Azure Key Vault", "Build it with: go build -tags azurekv ./cmd/confluence-mcp.", nil)
}

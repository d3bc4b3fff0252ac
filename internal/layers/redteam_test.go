package layers_test

import (
	"go/ast"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// attack is one row of the red-team list. Waits is empty when a test of that
// id must exist; otherwise it says what the attack is aimed at that does not
// exist yet.
type attack struct{ what, waits string }

// Reasons for rows whose target does not exist.
const (
	noExchange = "no tool reads or writes files of the host; there is no exchange folder"
	noConsole  = "there is no page but the end of a sign-in: no console, no login, no session of a browser"
)

// redTeam are the rows that concern transport, callers, deputies, addresses,
// files, queries, policy, approvals, content, parsers, secrets, the admin's
// surface, connecting by OAuth and the rights of the mirror. A function named Test<id>, or
// Test<id>_<id>…, covers a row.
var redTeam = map[string]attack{
	"A01": {what: "foreign, null and look-alike Origin"},
	"A02": {what: "foreign Host, on loopback and on a public address"},
	"A03": {what: "oversized, endless and lying bodies"},
	"A04": {what: "duplicate, misspelt and NUL keys"},
	"A05": {what: "absurd nesting and width"},
	"A06": {what: "clients that trickle bytes"},
	"A07": {what: "another caller's session"},
	"A08": {what: "invented and ended sessions"},
	"A09": {what: "headers that contradict the body"},
	"A10": {what: "tampered, foreign, stale and reused request state"},
	"A11": {what: "a key in the URL"},
	"A12": {what: "answers a shared cache would keep"},
	"A13": {what: "one caller floods"},
	"A14": {what: "a hidden tool by name and by look-alike names"},
	"A15": {what: "a panic that holds a secret"},

	"B01": {what: "no, empty and wrong kinds of credentials"},
	"B02": {what: "forged algorithms and key addresses in a token"},
	"B03": {what: "a good signature with wrong claims"},
	"B04": {what: "an ID token as access token"},
	"B05": {what: "a Confluence token as caller's key"},
	"B06": {what: "a flood of unknown signing keys"},
	"B07": {what: "an issuer that is down"},
	"B08": {what: "wrong, shortened, revoked and nearly right keys"},
	"B09": {what: "an identity header from an untrusted peer"},
	"B10": {what: "unverified, look-alike and reassigned e-mail claims"},
	"B11": {what: "one subject of two issuers"},
	"B12": {what: "a key revoked under an open stream"},

	"C01": {what: "what the account sees and the caller does not, on every path"},
	"C02": {what: "a caller that names another user"},
	"C03": {what: "what the mirror has not, read with the account's rights"},
	"C04": {what: "writes the account may make and the caller may not"},
	"C05": {what: "one caller's answer given to another"},
	"C06": {what: "one site's page through another's integration"},
	"C07": {what: "rows of a site that was exchanged for another"},

	"D01": {what: "a call that names a server"},
	"D02": {what: "a base URL of a wrong scheme, with user or fragment"},
	"D03": {what: "redirects inwards, sideways and to other schemes"},
	"D04": {what: "relative and scheme-less redirects"},
	"D05": {what: "a name that resolves to another address the second time"},
	"D06": {what: "a download link to another host"},
	"D07": {what: "a next link to another host or route"},
	"D08": {what: "redirect loops, and redirects of writes"},
	"D09": {what: "look-alike site names"},
	"D10": {what: "a proxy in the environment"},
	"D11": {what: "a hostile address in the list of granted sites"},
	"D12": {what: "an untrusted certificate"},

	"E01": {what: "host paths given to an upload"},
	"E02": {what: "ways out of an exchange folder", waits: noExchange},
	"E03": {what: "file names that are paths, devices or hidden text"},
	"E04": {what: "endless, lying and exploding downloads"},
	"E05": {what: "archives that explode"},
	"E06": {what: "active files handed to a browser"},
	"E07": {what: "executables as attachments"},

	"F01": {what: "words that look like a query"},
	"F02": {what: "a raw query that leaves its parentheses"},
	"F03": {what: "comments, quotes and functions in a raw query"},
	"F04": {what: "ids that are more than digits"},
	"F05": {what: "space keys that are more than letters"},
	"F06": {what: "expensive full-text queries"},
	"F07": {what: "SQL in every string that is stored"},
	"F08": {what: "line breaks towards headers"},
	"F09": {what: "tampered and borrowed cursors"},
	"F10": {what: "labels with separators and prefixes"},

	"G01": {what: "deleting a space, by any spelling, in any profile"},
	"G02": {what: "a profile that would permit it"},
	"G03": {what: "a rule that allows"},
	"G04": {what: "rules that fail or explode"},
	"G05": {what: "a rule's error hidden by its own logic"},
	"G06": {what: "broken, huge and swapped profile files"},
	"G07": {what: "policy that narrows while a call runs"},
	"G08": {what: "deletion dressed as an update"},
	"G09": {what: "mass deletion"},
	"G10": {what: "an operation nobody classified"},

	"H01": {what: "an approved call with other arguments"},
	"H02": {what: "people who approve for themselves"},
	"H03": {what: "many executions and verdicts at once"},
	"H04": {what: "a page edited under its approval"},
	"H05": {what: "a late approval and a clock set back"},
	"H06": {what: "policy narrowed after an approval"},
	"H07": {what: "rights lost after an approval"},
	"H08": {what: "guessed ids and others' requests"},
	"H09": {what: "changes that hide from the approver"},
	"H10": {what: "a verdict sent twice"},
	"H11": {what: "page text that claims an approval"},
	"H12": {what: "a process killed while it executes"},

	"I01": {what: "instructions and forged fences in page text"},
	"I02": {what: "text nobody sees"},
	"I03": {what: "images and links that carry data out"},
	"I04": {what: "a restricted page copied into a public one"},
	"I05": {what: "names of people and pages in tool descriptions"},
	"I06": {what: "active content in a written body"},
	"I07": {what: "a page of absurd size"},

	"J01": {what: "storage nested absurdly deep"},
	"J02": {what: "an entity bomb"},
	"J03": {what: "unknown entities and tricks with CDATA"},
	"J04": {what: "editor JSON nested absurdly deep"},
	"J05": {what: "tables that cost the square of their size"},
	"J06": {what: "broken text encoding"},
	"J07": {what: "external entities"},
	"J08": {what: "deeply nested Markdown"},

	"K01": {what: "secrets in output, logs, metrics and files"},
	"K02": {what: "secrets in the shown configuration"},
	"K03": {what: "a stolen database without its key"},
	"K04": {what: "a sealed token moved to another row"},
	"K05": {what: "a sealed token with a flipped bit"},
	"K06": {what: "a key file others may read"},
	"K07": {what: "profiling endpoints and core dumps"},
	"K08": {what: "secrets in a backup"},
	"K09": {what: "a token endpoint that echoes secrets"},
	"K10": {what: "secrets on the command line"},

	"L01": {what: "changes sent by pages of other sites"},
	"L02": {what: "markup in names shown to an administrator", waits: noConsole},
	"L03": {what: "answers framed by another page"},
	"L04": {what: "a login that leads elsewhere", waits: noConsole},
	"L05": {what: "a session cookie that is stolen or kept", waits: noConsole},
	"L06": {what: "guessed logins", waits: noConsole},
	"L07": {what: "administration without the right"},
	"L08": {what: "methods in headers and unknown methods"},
	"L09": {what: "reading that changes something"},

	"M01": {what: "a callback nobody waits for, or a second one"},
	"M02": {what: "a consent begun in another browser"},
	"M03": {what: "a code without its verifier"},
	"M04": {what: "markup in what the sign-in service says"},
	"M05": {what: "a callback address that differs"},
	"M06": {what: "fewer permissions than asked for"},
	"M07": {what: "a site chosen that was not granted"},
	"M08": {what: "tokens left on the disk after a disconnect"},
	"M09": {what: "a reconnection as another account"},
	"M10": {what: "an answer of another issuer"},

	"N01": {what: "an open page below a restricted one"},
	"N02": {what: "restrictions at several heights of one path"},
	"N03": {what: "an ancestor whose restrictions cannot be read"},
	"N04": {what: "a restriction longer than one answer"},
	"N05": {what: "a page moved below a restricted one"},
	"N06": {what: "groups renamed, deleted and nested, people deactivated"},
	"N07": {what: "a space that becomes private"},
	"N08": {what: "a space open to anonymous people on a site that is not"},
	"N09": {what: "numbers and times that tell hidden from absent"},
	"N10": {what: "files and labels of a hidden page"},
	"N11": {what: "settings saved without the switch of access rights"},
	"N12": {what: "an answer kept for callers with other rights"},
}

// rowsInSections is how many rows the list has in each section held here.
var rowsInSections = map[byte]int{'A': 15, 'B': 12, 'C': 7, 'D': 12, 'E': 7, 'F': 10, 'G': 10, 'H': 12, 'I': 7, 'J': 8, 'K': 10, 'L': 9, 'M': 10, 'N': 12}

// idOfTest finds the ids at the beginning of a test's name.
var idOfTest = regexp.MustCompile(`^_?([A-N]\d\d)(_|[A-Z]|$)`)

// idsOf gives the rows a test's name claims: TestF02_F03_Escape covers both.
func idsOf(name string) []string {
	rest, ok := strings.CutPrefix(name, "Test")
	var ids []string
	for ok {
		m := idOfTest.FindStringSubmatch(rest)
		if m == nil {
			break
		}
		ids = append(ids, m[1])
		rest = rest[strings.Index(rest, m[1])+len(m[1]):]
	}
	return ids
}

// redTeamTests are the tests of the repository by the row they cover.
func redTeamTests(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, s := range sources(t) {
		if !s.test() {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				for _, id := range idsOf(f.Name.Name) {
					found[id] = append(found[id], s.pkg+"."+f.Name.Name)
				}
			}
		}
	}
	return found
}

func TestRedTeamLedger(t *testing.T) {
	tests := redTeamTests(t)
	pending, covered := 0, 0
	for _, id := range slices.Sorted(maps.Keys(redTeam)) {
		row := redTeam[id]
		switch {
		case row.waits == "":
			covered++
			assert.NotEmpty(t, tests[id], "%s (%s) has no test named after it", id, row.what)
		default:
			pending++
			assert.Empty(t, tests[id], "%s (%s) has a test and is no longer pending", id, row.what)
			t.Logf("pending %s: %s: %s", id, row.what, row.waits)
		}
	}
	t.Logf("%d rows covered, %d pending", covered, pending)
	for id, names := range tests {
		if rowsInSections[id[0]] > 0 {
			assert.Contains(t, redTeam, id, "%v are named after a row that is not in the ledger", names)
		}
	}
}

// TestRedTeamLedgerIsWhole holds that no row was forgotten.
func TestRedTeamLedgerIsWhole(t *testing.T) {
	total := 0
	for section, rows := range rowsInSections {
		for n := 1; n <= rows; n++ {
			id := string(section) + string(rune('0'+n/10)) + string(rune('0'+n%10))
			require.NotEmpty(t, redTeam[id].what, id)
			total++
		}
	}
	assert.Len(t, redTeam, total)
}

// TestD10_D12_NoProxyOfTheEnvironmentAndNoUncheckedCertificate: what goes out of
// the product goes through clients that it makes itself, which use no proxy that
// nobody configured; and no switch of it lets a certificate pass that nobody knows.
func TestD10_D12_NoProxyOfTheEnvironmentAndNoUncheckedCertificate(t *testing.T) {
	loose := map[string][]string{
		"http": {"ProxyFromEnvironment", "DefaultTransport", "DefaultClient", "Get", "Head", "Post", "PostForm"},
		"tls":  {"Dial", "DialWithDialer", "Client"},
	}
	clients := 0
	for _, s := range sources(t) {
		if s.test() || strings.HasPrefix(s.pkg, "internal/emulator") {
			continue
		}
		assert.NotContains(t, string(s.text), "InsecureSkip"+"Verify", s.name)
		assert.NotContains(t, string(s.text), "x/net/http/httpproxy", s.name)
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Obj == nil {
					assert.NotContains(t, loose[pkg.Name], sel.Sel.Name, "%s: %s.%s", s.fset.Position(n.Pos()), pkg.Name, sel.Sel.Name)
					if pkg.Name == "http" && sel.Sel.Name == "Transport" {
						clients++
					}
				}
			}
			return true
		})
	}
	assert.GreaterOrEqual(t, clients, 5, "the clients were looked at")
}

func TestIDsOfTests(t *testing.T) {
	assert.Equal(t, []string{"F02", "F03"}, idsOf("TestF02_F03_RawConditionCannotEscape"))
	assert.Equal(t, []string{"A01"}, idsOf("TestA01Origin"))
	assert.Equal(t, []string{"A13", "G09"}, idsOf("TestA13_G09_BudgetsArePerPrincipal"))
	assert.Empty(t, idsOf("TestA2028Something"))
	assert.Empty(t, idsOf("TestB01second"))
	assert.Empty(t, idsOf("BenchmarkA01"))
}

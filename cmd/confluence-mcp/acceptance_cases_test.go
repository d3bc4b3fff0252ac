package main

import "testing"

// row is a case: pages, changes of the site after the first sync, and whether a
// caller sees one of the pages then.
type row struct {
	number string // of permissions 5, and a word where a number has several
	first  []node
	then   []string // lines, with page ids as {P} {C} {G} {X}; a second sync follows
	who    asker
	on     int
	sees   bool
}

// acceptance is a row and what else it needs.
type acceptance struct {
	row
	before   []string                     // lines before the first sync
	undo     []string                     // lines that bring the site back
	closed   bool                         // the account does not see the page either
	settings string                       // of the first integration
	more     func(*accepting, acceptance) // what else the case says
	whole    func(*testing.T)             // a test of its own instead of all that
}

func chain(p, c, g string) []node {
	return []node{{onP, top, "S", p}, {onC, onP, "S", c}, {onG, onC, "S", g}}
}

func single(space, read string) []node { return []node{{onP, top, space, read}} }

func as(user string, attributes ...string) asker { return asker{1, user, attributes} }

func public(attributes ...string) asker { return asker{attributes: attributes} }

func acceptanceCases() []acceptance {
	var out []acceptance
	for _, r := range plainCases() {
		out = append(out, acceptance{row: r})
	}
	return append(out, furtherCases()...)
}

func plainCases() []row {
	open := []string{`{"kind":"site","name":"One","cloud_id":"11111111-1111-4111-8111-111111111111","anonymous":true}`}
	return []row{
		{"1", chain("", "", ""), nil, as("u-ann"), onP, true},
		{"2", chain("", "", ""), nil, as("u-dan"), onP, false},
		{"3", chain("group:A", "", ""), nil, as("u-ann"), onP, true},
		{"3", chain("group:A", "", ""), nil, as("u-bob"), onP, false},
		{"4", chain("group:A", "group:B", ""), nil, as("u-bob"), onC, false},
		{"5", chain("group:A", "group:B", ""), nil, as("cid@acme.test"), onC, true},
		{"6", chain("group:A", "", "user:u-bob"), nil, as("u-bob"), onG, false},
		{"7", chain("group:A", "user:u-ann", ""), nil, as("u-ann"), onC, true},
		{"8", chain("group:A,user:u-bob", "", ""), nil, as("u-bob"), onP, true},
		{"9", chain("group:A", "", ""), nil, as("u-dan"), onP, false},
		{"10", chain("group:A", "group:B", ""), []string{`{"kind":"content","id":"{P}","read":[]}`}, as("u-bob"), onC, true},
		{"11", append(chain("group:A", "", ""), node{onX, top, "S", ""}), []string{`{"kind":"content","id":"{X}","parent":"{P}"}`}, as("u-bob"), onX, false},
		{"12", append(chain("group:A", "", ""), node{onX, onP, "S", ""}), []string{`{"kind":"content","id":"{X}","parent":""}`}, as("u-bob"), onX, true},
		{"13", chain("group:A", "", ""), []string{`{"kind":"user","id":"u-ann","username":"ann","name":"Ann","email":"ann@acme.test","groups":["staff"],"token":"t-ann"}`}, as("u-ann"), onP, false},
		{"14", chain("", "", ""), []string{`{"kind":"space","id":"10","key":"S","name":"S","type":"global","grants":[{"to":"user:u-bot","op":"read"}]}`}, as("u-cid"), onP, false},
		{"15", single("S2", ""), open, public(), onP, true},
		{"16", single("S2", "group:A"), open, public(), onP, false},
		{"16", single("S2", "group:A"), open, as("u-ann"), onP, true},
		{"17", single("S2", ""), nil, public(), onP, false},
		{"18", chain("group:A", "", ""), nil, as("u-bob"), onC, false},
		{"20", chain("", "", ""), nil, as("u-bob"), onP, true},
		{"21", chain("user:u-stranger", "", ""), nil, as("u-ann"), onP, false},
		{"23", chain("", "", ""), open, as("zzz"), onP, false},
		{"23", single("S2", ""), open, as("zzz"), onP, true},
		{"23", single("S2", ""), open, asker{"nowhere", "u-ann", nil}, onP, true},
		{"24", chain("", "", ""), open, public(), onP, false},
		{"25", single("S3", ""), nil, as("u-eve", "group-A"), onP, false},
		{"26", chain("group:A", "", ""), nil, public("group-A"), onP, false},
		{"26", single("S3", "group:A"), nil, public("group-A"), onP, true},
		{"27", chain("group:A", "", ""), nil, public("1:group-A", "group-staff"), onP, true},
		{"27", chain("group:A", "", ""), nil, public("2:group-A", "group-staff"), onP, false},
		{"28", chain("group:A", "", ""), nil, asker{1, "bob@acme.test", nil}, onP, false},
		{"28", nil, nil, asker{"I2", "bob@acme.test", nil}, onT, true},
		{"33", chain("group:A", "", ""), nil, as("u-fay"), onP, true},
		{"35", chain("", "", ""), []string{`{"kind":"space","id":"10","key":"S","name":"S","type":"global","grants":[{"to":"class:all-licensed-users","op":"read"}]}`}, as("u-dan"), onP, true},
		{"35", chain("", "", ""), []string{`{"kind":"space","id":"10","key":"S","name":"S","type":"global","grants":[{"to":"class:all-licensed-users","op":"read"}]}`}, as("u-gus"), onP, false},
	}
}

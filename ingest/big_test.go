package ingest_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// people are the site lines of everybody who asks.
func people() string {
	return `{"kind":"site","name":"Acme","cloud_id":"11111111-1111-4111-8111-111111111111","anonymous":true}
{"kind":"group","id":"g-staff","name":"staff"}
{"kind":"group","id":"g-a","name":"A"}
{"kind":"group","id":"g-b","name":"B"}
{"kind":"user","id":"u-ann","username":"ann","name":"Ann Arbor","email":"ann@acme.test","groups":["staff","A"],"token":"ann-token"}
{"kind":"user","id":"u-bob","username":"bob","name":"Bob Bright","email":"bob@acme.test","groups":["staff","B"],"token":"bob-token"}
{"kind":"user","id":"u-cid","username":"cid","name":"Cid Cole","email":"cid@acme.test","groups":["staff","A","B"],"token":"cid-token"}
{"kind":"user","id":"u-dan","username":"dan","name":"Dan Drew","email":"dan@acme.test","groups":["A"],"token":"dan-token"}
{"kind":"user","id":"u-bot","username":"bot","name":"Sync Bot","email":"bot@acme.test","groups":["staff","A","B"],"admin":true,"token":"bot-token"}
{"kind":"space","id":"100","key":"ENG","name":"Engineering","type":"global","grants":[{"to":"group:staff","op":"write"}]}
{"kind":"space","id":"200","key":"OPS","name":"Operations","type":"collaboration","grants":[{"to":"group:staff","op":"write"},{"to":"group:A","op":"read"}]}
{"kind":"space","id":"300","key":"PUB","name":"Public","type":"knowledge_base","grants":[{"to":"anonymous","op":"read"},{"to":"group:staff","op":"write"}]}
`
}

// bigSite is a site of pages with a few hundred words each, in trees, every
// tenth restricted, every fifth with a label, every twentieth with a file.
func bigSite(pages, words int) string {
	var b strings.Builder
	b.WriteString(people())
	r := rand.New(rand.NewPCG(1, 1))
	vocabulary := strings.Fields("the pump stands still when a valve is shut and nobody has read what the page about it says so call the engineer on duty")
	for i := range pages {
		space := []string{"ENG", "OPS", "PUB"}[i%3]
		fmt.Fprintf(&b, `{"kind":"content","id":"%d","type":"page","space":"%s","title":"Page %d","author":"u-ann"`, 10_000+i, space, i)
		if i >= 3 {
			fmt.Fprintf(&b, `,"parent":"%d"`, 10_000+(i/3-1)/6*3+i%3)
		}
		if i%10 == 9 {
			fmt.Fprintf(&b, `,"read":["group:%s"]`, []string{"A", "B"}[i/10%2])
		}
		if i%5 == 0 {
			b.WriteString(`,"labels":["fifth","` + vocabulary[i/5%len(vocabulary)] + `"]`)
		}
		b.WriteString(`,"storage":"<h1>Part one</h1>`)
		for w := range words {
			switch {
			case w%60 == 0:
				b.WriteString("<p>")
			case w%60 == 59:
				b.WriteString("</p>")
				continue
			}
			b.WriteString(vocabulary[r.IntN(len(vocabulary))] + strconv.Itoa(r.IntN(50)) + " ")
		}
		if words%60 != 0 {
			b.WriteString("</p>")
		}
		b.WriteString("\"}\n")
		if i%20 == 7 {
			fmt.Fprintf(&b, `{"kind":"content","id":"%d","type":"attachment","space":"%s","parent":"%d","title":"file %d.txt","media_type":"text/plain","data":"eA=="}`+"\n", 5_000_000+i, space, 10_000+i, i)
		}
	}
	return b.String()
}

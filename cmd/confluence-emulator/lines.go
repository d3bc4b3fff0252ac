package main

import (
	"github.com/spf13/cobra"

	"confluence-mcp/internal/emulator/site"
)

// applyLines is a help topic: what a site file and POST /__emulator/apply take.
func applyLines() *cobra.Command {
	return &cobra.Command{
		Use:   "lines",
		Short: "Help on the lines of site files and those that POST /__emulator/apply takes",
		Long: `A site file is JSON lines (or .gz of them), each with its kind, in any order.
Unknown kinds and fields are refused. This is what they hold:

` + site.Fields + `
POST /__emulator/apply takes JSON lines and does one after the other, up to the
first bad one. They concern the site whose listener gets them; clock and oauth
concern all. Every line of a site file upserts by kind and id. Besides those:

  {"kind":"delete","id":"1001"}                         purges whatever has the id
  {"kind":"clock","advance":"2h"}                       moves the clock
  {"kind":"cql_lag","seconds":60}                       makes search show what was so long ago
  {"kind":"fault","match":"GET /wiki/api/v2/pages*","action":{…},"times":3,"nth":2}
      match: METHOD and path; * is any text, and any method; with a ? the query
      is matched too. times 0: until cleared. nth: the first match that fires.
      action, all optional: status, headers, body (a string or JSON), delay_ms,
      reset, truncate_at, bytes_per_second, after (the request is executed, its
      answer is lost). Without a status the real answer is given.
  {"kind":"fault","clear":true}                         drops the faults of this site
  {"kind":"rate_limit","limit":100,"window_seconds":10,"no_retry_after":false}
                                                        announces and holds a limit; 0 ends it
  {"kind":"legacy_v1","status":410}                     switches undocumented v1 operations off; 0 on
  {"kind":"token","user":"u-ann","token":"…","scopes":["read:page:confluence"]}
                                                        a scoped API token, for the gateway only
  {"kind":"oauth", …}                                   any of:
      expire_access_tokens:true, revoke:true, revoke_user:"u-ann",
      redirect_uri:"…" (from then on the only one), duplicate_resources:bool,
      omit_refresh_token:bool

GET /authorize takes emulator_user=ID (consents as that account without a page),
emulator_site=CLOUDID (repeatable, or none; default all) and emulator_deny=1.
GET /__emulator/requests?since=N answers the journal: all of it on the first
listener, on another one what concerned that site.`,
	}
}

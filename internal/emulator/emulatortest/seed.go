package emulatortest

// SmallSite is a site file for tests. Staff are ann (A), bob (B), cid (A, B)
// and the admin ops; dan is in A only and not in staff, eve is deactivated
// staff, gus is a guest. The page trees:
//
//	ENG (100, staff read and write)
//	  1000 Engineering home
//	    1001 Runbook            labels runbook, ops; table, code, task list; 2 attachments, comments
//	    1002 Plans              read: A
//	      1003 Plans for B      read: B      only cid passes both
//	        1004 Details        read: bob    nobody passes: bob lacks A
//	    1005 Shared with bob    read: A, bob
//	    1006 House rules        update: A
//	    1007 Drafted idea       draft of ann
//	    1008 Old notes          archived
//	    1009 Mistake            trashed
//	    1010 Guides             a folder
//	      1011 Setup guide
//	  1100 Release notes        blog post
//	HR (200, group hr and bob read, hr writes)
//	  2000 People home
//	    2001 Salaries           read: cid
//	S2 (300, anonymous read, staff write)
//	  3000 Public home
//	    3001 Open page
//	    3002 Hidden page        read: A
//
// The site is open to anonymous use. Tokens are "<username>-token".
const SmallSite = `{"kind":"site","name":"Acme","cloud_id":"11111111-1111-4111-8111-111111111111","anonymous":true}
{"kind":"group","id":"g-staff","name":"staff"}
{"kind":"group","id":"g-a","name":"A"}
{"kind":"group","id":"g-b","name":"B"}
{"kind":"group","id":"g-hr","name":"hr"}
{"kind":"user","id":"u-ann","username":"ann","name":"Ann Arbor","email":"ann@acme.test","groups":["staff","A"],"token":"ann-token"}
{"kind":"user","id":"u-bob","username":"bob","name":"Bob Bright","email":"bob@acme.test","groups":["staff","B"],"token":"bob-token"}
{"kind":"user","id":"u-cid","username":"cid","name":"Cid Cole","email":"cid@acme.test","groups":["staff","A","B"],"token":"cid-token"}
{"kind":"user","id":"u-dan","username":"dan","name":"Dan Drew","email":"dan@acme.test","groups":["A"],"token":"dan-token"}
{"kind":"user","id":"u-eve","username":"eve","name":"Eve Elm","email":"eve@acme.test","active":false,"groups":["staff","A"],"token":"eve-token"}
{"kind":"user","id":"u-gus","username":"gus","name":"Gus Guest","email":"gus@guest.test","account":"guest","token":"gus-token"}
{"kind":"user","id":"u-hal","username":"hal","name":"Hal Hart","email":"hal@acme.test","groups":["staff","hr"],"token":"hal-token"}
{"kind":"user","id":"u-ops","username":"ops","name":"Olga Ops","email":"ops@acme.test","groups":["staff"],"admin":true,"token":"ops-token"}
{"kind":"user","id":"u-bot","username":"bot","name":"Sync Bot","email":"bot@acme.test","groups":["staff","A","B","hr"],"admin":true,"token":"bot-token"}
{"kind":"space","id":"100","key":"ENG","name":"Engineering","type":"global","grants":[{"to":"group:staff","op":"read"},{"to":"group:staff","op":"write"}]}
{"kind":"space","id":"200","key":"HR","name":"People","type":"collaboration","grants":[{"to":"group:hr","op":"read"},{"to":"group:hr","op":"write"},{"to":"user:u-bob","op":"read"}]}
{"kind":"space","id":"300","key":"S2","name":"Public","type":"knowledge_base","grants":[{"to":"anonymous","op":"read"},{"to":"group:staff","op":"write"}]}
{"kind":"space","id":"400","key":"~ann","name":"Ann Arbor","type":"personal","grants":[{"to":"user:u-ann","op":"write"}]}
{"kind":"content","id":"1000","type":"page","space":"ENG","title":"Engineering home","storage":"<p>Where the engineers of Acme write things down.</p>","author":"u-ops","created":"2026-01-01T08:00:00Z","updated":"2026-01-01T08:00:00Z"}
{"kind":"content","id":"1001","type":"page","space":"ENG","parent":"1000","title":"Runbook","storage":"<h1>Restart the pump</h1><p>Call the person on duty, then restart the <strong>pump</strong>.</p><h2>Steps</h2><ol><li>Stop</li><li>Wait a minute</li><li>Start</li></ol><table><tbody><tr><th>Signal</th><th>Meaning</th></tr><tr><td>red</td><td>stop at once</td></tr></tbody></table><ac:structured-macro ac:name=\"code\"><ac:parameter ac:name=\"language\">bash</ac:parameter><ac:plain-text-body><![CDATA[systemctl restart pump]]></ac:plain-text-body></ac:structured-macro><ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>incomplete</ac:task-status><ac:task-body>Check the seal</ac:task-body></ac:task></ac:task-list>","labels":["runbook","ops"],"author":"u-ann","created":"2026-01-02T03:04:05Z","updated":"2026-02-03T04:05:06Z","version":3}
{"kind":"content","id":"1002","type":"page","space":"ENG","parent":"1000","title":"Plans","storage":"<p>Plans of group A: a zeppelin by autumn.</p>","author":"u-ann","read":["group:A"]}
{"kind":"content","id":"1003","type":"page","space":"ENG","parent":"1002","title":"Plans for B","storage":"<p>Only members of both groups read of the airship hangar.</p>","author":"u-cid","read":["group:B"]}
{"kind":"content","id":"1004","type":"page","space":"ENG","parent":"1003","title":"Details","storage":"<p>Named is bob, who does not pass the pages above.</p>","author":"u-cid","read":["user:u-bob"]}
{"kind":"content","id":"1005","type":"page","space":"ENG","parent":"1000","title":"Shared with bob","storage":"<p>Group A and bob.</p>","author":"u-ann","read":["group:A","user:u-bob"]}
{"kind":"content","id":"1006","type":"page","space":"ENG","parent":"1000","title":"House rules","storage":"<p>Everybody reads, group A edits.</p>","author":"u-ann","update":["group:A"]}
{"kind":"content","id":"1007","type":"page","space":"ENG","parent":"1000","title":"Drafted idea","status":"draft","storage":"<p>Not yet.</p>","author":"u-ann"}
{"kind":"content","id":"1008","type":"page","space":"ENG","parent":"1000","title":"Old notes","status":"archived","storage":"<p>Kept for the record.</p>","author":"u-bob"}
{"kind":"content","id":"1009","type":"page","space":"ENG","parent":"1000","title":"Mistake","status":"trashed","storage":"<p>Thrown away.</p>","author":"u-bob"}
{"kind":"content","id":"1010","type":"folder","space":"ENG","parent":"1000","title":"Guides","author":"u-ops"}
{"kind":"content","id":"1011","type":"page","space":"ENG","parent":"1010","title":"Setup guide","storage":"<p>Install, configure, breathe.</p>","labels":["guide"],"author":"u-bob","created":"2026-02-01T10:00:00Z","updated":"2026-02-10T10:00:00Z"}
{"kind":"content","id":"1100","type":"blogpost","space":"ENG","title":"Release notes","storage":"<p>Version two is out.</p>","labels":["release"],"author":"u-cid","created":"2026-02-20T10:00:00Z","updated":"2026-02-20T10:00:00Z"}
{"kind":"content","id":"5001","type":"comment","space":"ENG","parent":"1001","storage":"<p>Works on the spare pump too.</p>","author":"u-bob","created":"2026-02-04T08:00:00Z","updated":"2026-02-04T08:00:00Z"}
{"kind":"content","id":"5002","type":"comment","space":"ENG","parent":"5001","storage":"<p>Thank you.</p>","author":"u-ann","created":"2026-02-04T09:00:00Z","updated":"2026-02-04T09:00:00Z"}
{"kind":"content","id":"5003","type":"comment","space":"ENG","parent":"1002","storage":"<p>Is the zeppelin paid for?</p>","author":"u-cid"}
{"kind":"content","id":"6001","type":"attachment","space":"ENG","parent":"1001","title":"pump.png","media_type":"image/png","data":"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==","author":"u-ann"}
{"kind":"content","id":"6002","type":"attachment","space":"ENG","parent":"1001","title":"checklist.txt","media_type":"text/plain","data":"MS4gc2VhbAoyLiB2YWx2ZQo=","author":"u-bob"}
{"kind":"content","id":"6003","type":"attachment","space":"ENG","parent":"1002","title":"budget.txt","media_type":"text/plain","data":"c2VjcmV0IGJ1ZGdldAo=","author":"u-ann"}
{"kind":"content","id":"2000","type":"page","space":"HR","title":"People home","storage":"<p>Policies and people.</p>","author":"u-hal"}
{"kind":"content","id":"2001","type":"page","space":"HR","parent":"2000","title":"Salaries","storage":"<p>Numbers that few may see.</p>","author":"u-hal","read":["user:u-cid"]}
{"kind":"content","id":"3000","type":"page","space":"S2","title":"Public home","storage":"<p>Welcome, everybody.</p>","author":"u-ops"}
{"kind":"content","id":"3001","type":"page","space":"S2","parent":"3000","title":"Open page","storage":"<p>Readable without an account.</p>","author":"u-ops"}
{"kind":"content","id":"3002","type":"page","space":"S2","parent":"3000","title":"Hidden page","storage":"<p>In a public space, for group A.</p>","author":"u-ops","read":["group:A"]}
{"kind":"content","id":"4000","type":"page","space":"~ann","title":"Ann's notes","storage":"<p>Mine.</p>","author":"u-ann"}
`

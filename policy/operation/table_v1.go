package operation

import "confluence-mcp/policy"

// pageRowsV1 are the old API's operations on content, which is all of them on
// Data Center.
func pageRowsV1() []row {
	return []row{
		{path: "/content", methods: "GET POST"},
		{path: "/content/*", methods: "GET PUT DELETE"},
		{path: "/content/*/history", methods: "GET"},
		{path: "/content/*/version", methods: "GET", blocked: "POST"},
		{path: "/content/*/version/*", methods: "GET", blocked: "DELETE"},
		{path: "/content/*/child", methods: "GET"},
		{path: "/content/*/child/page", methods: "GET"},
		{path: "/content/*/child/comment", methods: "GET"},
		{path: "/content/*/descendant", methods: "GET"},
		{path: "/content/*/descendant/*", methods: "GET"},
		{path: "/content/*/label", methods: "GET POST DELETE"},
		{path: "/content/*/label/*", methods: "DELETE"},
		{path: "/content/*/property", methods: "GET POST"},
		{path: "/content/*/property/*", methods: "GET PUT DELETE"},
		{path: "/content/*/state", methods: "GET PUT DELETE"},
		{path: "/content/*/move/*/*", methods: "PUT"},
		{path: "/content/*/copy", methods: "POST"},
		{path: "/content/*/pagehierarchy/copy", methods: "POST"},
		{path: "/content/archive", methods: "POST", as: policy.Delete},
		{path: "/content/*/pageTree", blocked: "DELETE"},
		{path: "/content/*/permission/check", methods: "POST", as: policy.Read},
		{path: "/content/*/restriction", methods: "GET", blocked: "POST PUT DELETE"},
		{path: "/content/*/restriction/*", methods: "GET"},
		{path: "/content/*/restriction/*/*", methods: "GET"},
		{path: "/content/*/restriction/*/*/*", methods: "GET", blocked: "PUT DELETE"},
		{path: "/content/*/restriction/*/user", methods: "GET", blocked: "PUT DELETE"},
		{path: "/contentbody/convert/*", methods: "POST", as: policy.Read},
		{path: "/contentbody/convert/async/*", methods: "GET"},
		{path: "/contentbody/convert/async/*", methods: "POST", as: policy.Read},
		{path: "/template/*", methods: "GET", blocked: "DELETE"},
		{path: "/template/page", methods: "GET"},
		{path: "/template/blueprint", methods: "GET"},
		{path: "/template", blocked: "POST PUT"},
		{path: "/longtask", methods: "GET"},
		{path: "/longtask/*", methods: "GET"},
		{path: "/server-information", methods: "GET"},
		{path: "/settings/systemInfo", methods: "GET"},
	}
}

// spaceRowsV1 is where a whole space could be deleted: it is blocked.
func spaceRowsV1() []row {
	return []row{
		{path: "/space", methods: "GET POST"},
		{path: "/space/_private", methods: "POST"},
		{path: "/space/*", methods: "GET PUT", blocked: "DELETE"},
		{path: "/space/*/content", methods: "GET"},
		{path: "/space/*/content/*", methods: "GET", blocked: "DELETE"},
		{path: "/space/*/label", methods: "GET POST DELETE"},
		{path: "/space/*/property", methods: "GET POST"},
		{path: "/space/*/property/*", methods: "GET PUT DELETE"},
		{path: "/space/*/permission", methods: "GET", blocked: "POST"},
		{path: "/space/*/permission/*", blocked: "POST DELETE"},
		{path: "/space/*/permissions", methods: "GET", blocked: "POST PUT DELETE"},
		{path: "/space/*/archive", blocked: "PUT"},
		{path: "/space/*/restore", blocked: "PUT"},
		{path: "/space/*/trash", blocked: "DELETE"},
		{path: "/space/*/theme", blocked: "PUT DELETE"},
		{path: "/backup-restore/restore/site", blocked: "POST"},
		{path: "/backup-restore/restore/site/upload", blocked: "POST"},
		{path: "/backup-restore/restore/space", blocked: "POST"},
		{path: "/backup-restore/restore/space/upload", blocked: "POST"},
	}
}

func userRowsV1() []row {
	return []row{
		{path: "/search/user", methods: "GET"},
		{path: "/user", methods: "GET", blocked: "POST PUT DELETE"},
		{path: "/user/current", methods: "GET"},
		{path: "/user/anonymous", methods: "GET"},
		{path: "/user/bulk", methods: "GET"},
		{path: "/user/list", methods: "GET"},
		{path: "/user/memberof", methods: "GET"},
		{path: "/user/email", methods: "GET"},
		{path: "/user/email/bulk", methods: "GET"},
		{path: "/user/*/property", methods: "GET"},
		{path: "/user/*/property/*", methods: "GET", blocked: "POST PUT DELETE"},
		{path: "/group", methods: "GET", blocked: "POST DELETE"},
		{path: "/group/*", methods: "GET"},
		{path: "/group/by-id", methods: "GET", blocked: "DELETE"},
		{path: "/group/by-name", methods: "GET"},
		{path: "/group/picker", methods: "GET"},
		{path: "/group/*/member", methods: "GET"},
		{path: "/group/*/membersByGroupId", methods: "GET"},
		{path: "/group/userByGroupId", blocked: "POST DELETE"},
	}
}

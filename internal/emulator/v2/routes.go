package v2

import "confluence-mcp/internal/emulator/wire"

const root = "/wiki/api/v2"

// Routes lists every operation of the package with the scopes that open it.
// Only granular scopes do: classic ones are for the first generation.
func Routes() []wire.Route {
	var all []wire.Route
	for _, group := range [][]wire.Route{
		pageRoutes(), treeRoutes(), commentRoutes(), attachmentRoutes(), spaceRoutes(), roleRoutes(),
	} {
		all = append(all, group...)
	}
	return all
}

func pageRoutes() []wire.Route {
	var all []wire.Route
	for _, k := range []kind{pages, blogposts} {
		base := "/" + k.plural()
		all = append(all,
			read("GET", base, "read:page", k.list),
			read("GET", "/spaces/{id}"+base, "read:page", k.listInSpace),
			read("GET", base+"/{id}", "read:page", k.single),
			write("POST", base, "write:page", 200, k.create),
			write("PUT", base+"/{id}", "write:page", 200, k.update),
			write("DELETE", base+"/{id}", "delete:page", 204, k.remove),
			read("GET", base+"/{id}/versions", "read:page", k.versions),
			read("GET", base+"/{id}/versions/{number}", "read:page", k.version),
			read("GET", base+"/{id}/labels", "read:page", k.labels),
			read("GET", base+"/{id}/operations", "read:page", k.operations),
			read("GET", base+"/{id}/footer-comments", "read:comment", k.footerComments),
			read("GET", base+"/{id}/inline-comments", "read:comment", k.inlineComments),
			read("GET", base+"/{id}/attachments", "read:attachment", k.attachments),
		)
		all = append(all, propertyRoutes(k)...)
	}
	return append(all, write("PUT", "/pages/{id}/title", "write:page", 200, updateTitle))
}

func treeRoutes() []wire.Route {
	all := []wire.Route{
		read("GET", "/pages/{id}/children", "read:page", childPages),
		read("GET", "/folders/{id}", "read:folder", folder),
		write("POST", "/folders", "write:folder", 200, createFolder),
		write("DELETE", "/folders/{id}", "delete:folder", 204, folders.remove),
		read("POST", "/content/convert-ids-to-types", "read:content.metadata", convertIDs),
	}
	for _, k := range []kind{pages, folders} {
		base := "/" + k.plural() + "/{id}"
		all = append(all,
			read("GET", base+"/ancestors", "read:content.metadata", k.ancestors),
			read("GET", base+"/direct-children", "read:hierarchical-content", k.directChildren),
			read("GET", base+"/descendants", "read:hierarchical-content", k.descendants),
		)
	}
	return all
}

func commentRoutes() []wire.Route {
	all := []wire.Route{
		write("POST", "/footer-comments", "write:comment", 201, createFooter),
		write("POST", "/inline-comments", "write:comment", 201, createInline),
		write("PUT", "/footer-comments/{id}", "write:comment", 200, footer.update),
		write("PUT", "/inline-comments/{id}", "write:comment", 200, inline.update),
	}
	for _, f := range []flavour{footer, inline} {
		base := "/" + f.plural() + "/{id}"
		all = append(all,
			read("GET", base, "read:comment", f.single),
			write("DELETE", base, "delete:comment", 204, f.remove),
			read("GET", base+"/children", "read:comment", f.children),
			read("GET", base+"/versions", "read:comment", f.versions),
		)
	}
	return all
}

func attachmentRoutes() []wire.Route {
	return []wire.Route{
		read("GET", "/attachments", "read:attachment", listAttachments),
		read("GET", "/attachments/{id}", "read:attachment", attachment),
		read("GET", "/attachments/{id}/versions", "read:attachment", attachmentVersions),
		read("GET", "/attachments/{id}/labels", "read:attachment", attachmentLabels),
		read("GET", "/attachments/{id}/footer-comments", "read:comment", attachmentComments),
		write("DELETE", "/attachments/{id}", "delete:attachment", 204, removeAttachment),
	}
}

func spaceRoutes() []wire.Route {
	return []wire.Route{
		read("GET", "/spaces", "read:space", listSpaces),
		read("GET", "/spaces/{id}", "read:space", singleSpace),
		write("POST", "/spaces", "write:space", 201, createSpace),
		read("POST", "/users-bulk", "read:user", bulkUsers),
	}
}

func roleRoutes() []wire.Route {
	return []wire.Route{
		read("GET", "/spaces/{id}/permissions", "read:space", permissions),
		read("GET", "/spaces/{id}/role-assignments", "read:space.permission", roleAssignments),
		read("GET", "/space-roles", "read:space.permission", spaceRoles),
		read("GET", "/space-role-mode", "read:configuration", roleMode),
	}
}

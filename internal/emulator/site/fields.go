package site

// Fields is the table of what the lines of a site file may hold: kind, field,
// what it is when a line leaves it out, and what else it takes. Columns are two
// spaces apart or more.
const Fields = `  kind      field        left out                 takes
  site      name         "Confluence"
  site      cloud_id     "00000000-0000-4000-8000-000000000001"
  site      anonymous    false                    true: grants to anonymous count
  site      role_mode    "ROLES_TRANSITION"       PRE_ROLES, ROLES
  group     id           g-NAME
  group     name         needed
  group     parent       null                     the name of a group it is in
  user      id           needed
  user      username     its id
  user      name         its username
  user      email        ""
  user      active       true
  user      groups       []                       names of groups
  user      admin        false
  user      account      "user"                   guest, app
  user      token        ""                       without one nobody logs in
  space     id           needed
  space     key          needed
  space     name         its key
  space     type         "global"                 knowledge_base, collaboration, personal, system,
                                                  onboarding, xflow_sample_space
  space     status       "current"                archived
  space     description  ""
  space     grants       []                       {"to":"group:NAME","op":"read"}: to is also user:ID,
                                                  anonymous, class:NAME; op is also write
  content   id           needed
  content   type         "page"                   blogpost, folder, comment, attachment
  content   space        its parent's             a key; needed without a parent
  content   parent       null                     an id; needed for comments and attachments
  content   title        needed                   not for comments and drafts
  content   status       "current"                draft, trashed, archived
  content   storage      ""
  content   labels       []
  content   author       ""                       the id of a user
  content   created      now                      2026-01-02T03:04:05Z
  content   updated      as created
  content   version      1
  content   read         []                       user:ID, group:NAME; empty is not restricted
  content   update       []                       the same
  content   media_type   ""                       application/octet-stream for attachments
  content   data         ""                       base64, of attachments
  template  id           needed
  template  space        ""                       a key; without one it is the site's
  template  name         needed
  template  storage      ""
`

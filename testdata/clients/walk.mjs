// The walk every outside client takes: search, read, create, update, attach,
// download, delete, on the site of site.jsonl. It also meets a refusal and an
// unknown tool, because clients show these to people.
import assert from 'node:assert/strict'

export async function walk(client, expectedVersion) {
  if (expectedVersion) assert.equal(expectedVersion.got, expectedVersion.want, 'protocol version')

  const { tools } = await client.listTools()
  const names = tools.map((t) => t.name)
  assert.deepEqual(names, [...names].sort(), 'tools come sorted')
  for (const name of ['search', 'get_page', 'create_page', 'update_page', 'upload_attachment', 'delete_page']) {
    assert.ok(names.includes('confluence_' + name), name + ' is listed')
  }

  const call = async (name, args) => {
    const result = await client.callTool({ name: 'confluence_' + name, arguments: args })
    assert.ok(!result.isError, `${name}: ${result.content?.[0]?.text}`)
    assert.ok(result.content[0].text.length > 0, name + ' answers in words as well')
    return result.structuredContent
  }

  const found = await call('search', { query: 'barnacle' })
  assert.equal(found.results[0].page_id, '1001')

  const page = await call('get_page', { page_id: '1001' })
  assert.match(page.content, /spring lines/)

  const title = 'Winter plan ' + process.pid
  const created = await call('create_page', {
    space_key: 'DOCK', title, parent_id: '1000', body: '# Plan\n\nHaul out in *October*.\n',
  })
  const id = created.id
  assert.match(id, /^\d+$/)

  const updated = await call('update_page', {
    page_id: id, base_version: created.version, edits: [{ op: 'replace_text', find: 'October', replace: 'November' }],
  })
  assert.equal(updated.version, created.version + 1)
  assert.match((await call('get_page', { page_id: id })).content, /November/)

  const stale = await client.callTool({
    name: 'confluence_update_page', arguments: { page_id: id, base_version: created.version, body: 'lost\n' },
  })
  assert.equal(stale.isError, true, 'a stale write is refused')
  assert.equal(stale.structuredContent.error.kind, 'conflict')

  const text = 'line one\nline two\n'
  await call('upload_attachment', { page_id: id, filename: 'plan.txt', content: text })
  const { attachments } = await call('get_attachments', { page_id: id })
  assert.equal(attachments[0].filename, 'plan.txt')
  const file = await call('download_attachment', { attachment_id: attachments[0].attachment_id })
  assert.ok(file.content.includes(text.trimEnd()), 'the file comes back')

  await call('delete_page', { page_id: id })
  const gone = await client.callTool({ name: 'confluence_get_page', arguments: { title, space_key: 'DOCK' } })
  assert.equal(gone.isError, true, 'a deleted page is not found by its title')

  const wrong = await client.callTool({ name: 'confluence_get_page', arguments: { page_id: 'abc' } })
  assert.equal(wrong.isError, true, 'a wrong argument is an answer a model can read')
  await assert.rejects(client.callTool({ name: 'confluence_delete_space', arguments: {} }), /not found/, 'no such tool')

  await client.close()
  console.log('walked')
}

// args is how the clients are started: {mode, url|command, args, env, key}.
export const args = JSON.parse(process.argv[2])

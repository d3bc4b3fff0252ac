// The official TypeScript SDK, version 2: stateless where the server offers it.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { args, walk } from './walk.mjs'

const client = new Client({ name: 'outside-2', version: '1' }, { capabilities: {}, versionNegotiation: { mode: 'auto' } })
await client.connect(args.mode === 'stdio'
  ? new StdioClientTransport({ command: args.command, args: args.args, env: args.env })
  : new StreamableHTTPClientTransport(new URL(args.url), { requestInit: { headers: { Authorization: 'Bearer ' + args.key } } }))
await walk(client, { got: client.getNegotiatedProtocolVersion(), want: '2026-07-28' })

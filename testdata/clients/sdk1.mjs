// The official TypeScript SDK, version 1: initialize-based.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { args, walk } from './walk.mjs'

const client = new Client({ name: 'outside-1', version: '1' }, { capabilities: {} })
await client.connect(args.mode === 'stdio'
  ? new StdioClientTransport({ command: args.command, args: args.args, env: args.env })
  : new StreamableHTTPClientTransport(new URL(args.url), { requestInit: { headers: { Authorization: 'Bearer ' + args.key } } }))
await walk(client)

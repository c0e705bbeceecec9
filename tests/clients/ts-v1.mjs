// The TypeScript SDK of the first generation: the handshake of 2025.
import { headers, load, play, url } from './story.mjs';

const { Client } = await load('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport } = await load('@modelcontextprotocol/sdk/client/streamableHttp.js');

const client = new Client({ name: 'test-ts-v1', version: '1.0.0' });
const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers } });
await client.connect(transport);

await play({
  label: '@modelcontextprotocol/sdk 1.x',
  speaks: transport.protocolVersion,
  should: '2025-11-25',
  listTools: async () => (await client.listTools()).tools,
  call: (name, args, progress) =>
    client.callTool({ name, arguments: args }, undefined, progress ? { onprogress: (p) => progress(p.progress) } : {}),
  readResource: (uri) => client.readResource({ uri }),
  getPrompt: (name, args) => client.getPrompt({ name, arguments: args }),
  close: () => client.close(),
});

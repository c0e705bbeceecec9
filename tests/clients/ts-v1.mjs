// The TypeScript SDK of the first generation: the handshake of 2025. `ts-v1.mjs stdio` spawns `remit stdio`.
import { headers, load, play, spawned, url } from './story.mjs';

const { Client } = await load('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport } = await load('@modelcontextprotocol/sdk/client/streamableHttp.js');

const client = new Client({ name: 'test-ts-v1', version: '1.0.0' });
const { StdioClientTransport } = await load('@modelcontextprotocol/sdk/client/stdio.js');

let speaks;
const spawns = process.argv[2] === 'stdio';
const transport = spawns ? new StdioClientTransport(spawned()) : new StreamableHTTPClientTransport(url, { requestInit: { headers } });
// Over HTTP it remembers the version, because its headers name it; over pipes it only hears of it.
if (spawns) transport.setProtocolVersion = (version) => (speaks = version);
await client.connect(transport);

await play({
  label: `@modelcontextprotocol/sdk 1.x${spawns ? ', stdio' : ''}`,
  speaks: speaks ?? transport.protocolVersion,
  should: '2025-11-25',
  listTools: async () => (await client.listTools()).tools,
  call: (name, args, progress) =>
    client.callTool({ name, arguments: args }, undefined, progress ? { onprogress: (p) => progress(p.progress) } : {}),
  readResource: (uri) => client.readResource({ uri }),
  getPrompt: (name, args) => client.getPrompt({ name, arguments: args }),
  close: () => client.close(),
});

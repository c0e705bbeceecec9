// The TypeScript SDK of the second generation. `node ts-v2.mjs legacy` (its default: the handshake of 2025),
// or `auto`: 2026-07-28 where the server has it.
import { headers, load, play, url } from './story.mjs';

const { Client, StreamableHTTPClientTransport } = await load('@modelcontextprotocol/client');

const mode = process.argv[2] ?? 'legacy';
const options = mode === 'legacy' ? {} : { versionNegotiation: { mode } };
const client = new Client({ name: `test-ts-v2-${mode}`, version: '1.0.0' }, options);
await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));

await play({
  label: `@modelcontextprotocol/client 2.x, ${mode}`,
  speaks: client.getNegotiatedProtocolVersion(),
  should: mode === 'legacy' ? '2025-11-25' : '2026-07-28',
  listTools: async () => (await client.listTools()).tools,
  call: (name, args, progress) => client.callTool({ name, arguments: args }, progress ? { onprogress: (p) => progress(p.progress) } : {}),
  readResource: (uri) => client.readResource({ uri }),
  getPrompt: (name, args) => client.getPrompt({ name, arguments: args }),
  close: () => client.close(),
});

// The gateway under test, as everybody else sees it: an agent over MCP, its host application, an operator, an auditor.
import { join } from 'node:path';
import { run } from './stage.mjs';

const { GATEWAY_URL, GATEWAY_KEY, GATEWAY_ADMIN, ADMIN_KEY, HOST_KEY, FIXTURE_CONTROL, FOLDER } = process.env;
for (const [name, value] of Object.entries({ GATEWAY_URL, GATEWAY_KEY, GATEWAY_ADMIN, ADMIN_KEY, HOST_KEY, FIXTURE_CONTROL, FOLDER })) {
  if (value) continue;
  console.error(`${name} is not set; see tests/README.md`);
  process.exit(2);
}

const root = join(import.meta.dirname, '../..');
const programs = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug');

/** Where browsers find it: passkeys are made for `localhost`. */
export const home = GATEWAY_ADMIN.replace('127.0.0.1', 'localhost');

async function ask(url, key, body, headers = {}) {
  const said = body && { method: 'POST', body: JSON.stringify(body) };
  const own = key && { authorization: `Bearer ${key}` };
  const answer = await fetch(url, { headers: { 'content-type': 'application/json', ...own, ...headers }, ...said });
  return { http: answer.status, ...(await answer.json()) };
}

/** As the operator with a key. */
export const admin = (path, body) => ask(`${GATEWAY_ADMIN}/admin/v1/${path}`, ADMIN_KEY, body);

/** With the cookie of a session, and nothing else that a browser adds. */
export const withCookie = async (cookie, path) => (await fetch(`${GATEWAY_ADMIN}/admin/v1/${path}`, { headers: { cookie } })).status;

/** A call over HTTP, which answers at once. */
export const call = (tool, args, run) => ask(`${GATEWAY_ADMIN}/v1/calls`, run ? HOST_KEY : GATEWAY_KEY, { tool, arguments: args, ...(run && { run }) });

/** A run that the host application opens, with what it says the user wanted. */
export const openRun = async (user, intent) => (await ask(`${GATEWAY_ADMIN}/v1/runs`, HOST_KEY, { user, intent })).run;

/** The agent asks for more. */
export const askForAccess = (asked) => ask(`${GATEWAY_ADMIN}/v1/access-requests`, GATEWAY_KEY, asked);

/** The agent's answer to what an approver asked. */
export const answerBack = (question, text) => ask(`${GATEWAY_ADMIN}/v1/questions/${question}`, GATEWAY_KEY, { text });

/** What the system behind the gateway has really carried out, by tool. */
export const executed = async () => (await ask(`${FIXTURE_CONTROL}/calls`)).counts;

/** The system behind the gateway serves another definition from now on. */
export const drift = (name, fields) => ask(`${FIXTURE_CONTROL}/tool`, undefined, { name, ...fields });

/** An agent that nobody here wrote: the TypeScript SDK, which waits as long as the gateway lets it. */
export async function agent() {
  const { load } = await import('../../.cache/node/load.mjs');
  const { Client, StreamableHTTPClientTransport } = await load('@modelcontextprotocol/client');
  const client = new Client({ name: 'shop', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
  await client.connect(new StreamableHTTPClientTransport(new URL(GATEWAY_URL), { requestInit: { headers: { authorization: `Bearer ${GATEWAY_KEY}` } } }));
  return client;
}

/** A program of ours. */
export const program = (name) => join(programs, name);

/** The command line of an operator. */
export const remit = (...args) => run(program('remit'), ['-C', FOLDER, ...args], { env: { ...process.env, REMIT_URL: GATEWAY_ADMIN, REMIT_OPERATOR_KEY: ADMIN_KEY } });

/** What two verifiers say of a bundle: ours, and the one in Python that shares nothing with it. */
export async function judged(bundle, trust) {
  const python = join(root, '.cache/venv-evidence/bin/python');
  const rest = [bundle, '--trust', trust, '--json'];
  const both = await Promise.all([run(join(programs, 'remit-verify'), rest), run(python, [join(root, 'verifiers/python/remit_verify.py'), ...rest])]);
  return both.map(({ status, out }) => {
    try {
      return { status, ...JSON.parse(out) };
    } catch {
      throw new Error(`a verifier said: ${out}`);
    }
  });
}

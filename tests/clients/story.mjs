// Plays story.json with a client, and judges what the client saw. The Python twin is story.py.
//
// A client is { label, speaks, should, listTools, call, readResource, getPrompt, close }:
//   listTools()                      -> [{ name, description }]
//   call(name, arguments, progress?) -> the result; progress(number) is called for each notification
//   readResource(uri)                -> the result
//   getPrompt(name, arguments)       -> the result
// Protocol errors are thrown and carry `code`. `speaks` and `should` are the protocol versions it has and should have.

import { execSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

const { GATEWAY_URL, GATEWAY_KEY = '', TOOL_PREFIX = 'fixture__', DIRECT, FIXTURE_CONTROL, APPROVE_CMD, GATEWAY_ADMIN, ADMIN_KEY = '' } = process.env;
if (!GATEWAY_URL) {
  console.error('GATEWAY_URL is not set; see tests/README.md');
  process.exit(2);
}

export const url = new URL(GATEWAY_URL);
export const headers = GATEWAY_KEY ? { authorization: `Bearer ${GATEWAY_KEY}` } : {};

/// How `remit stdio` is spawned, for a gateway that runs.
export function spawned() {
  const command = process.env.REMIT ?? new URL('../../target/debug/remit', import.meta.url).pathname;
  return { command, args: ['stdio', '--gateway', GATEWAY_URL], env: { REMIT_AGENT_KEY: GATEWAY_KEY, REMIT_LOG: 'warn' } };
}

/// Imports a package that tests/setup.sh installed.
export async function load(name) {
  const loader = await import(new URL('../../.cache/node/load.mjs', import.meta.url)).catch(() => {
    console.error('the clients are not installed: run tests/setup.sh');
    process.exit(1);
  });
  return loader.load(name);
}

const prefixed = (value) => JSON.parse(JSON.stringify(value).replaceAll('$P', TOOL_PREFIX));
const story = prefixed(JSON.parse(readFileSync(new URL('story.json', import.meta.url))));

async function counts() {
  const answer = await fetch(`${FIXTURE_CONTROL}/calls`);
  return (await answer.json()).counts;
}

async function approve(question) {
  if (!question) throw new Error('no question was seen');
  if (APPROVE_CMD) return execSync(APPROVE_CMD.replaceAll('{id}', question), { stdio: 'pipe' });
  const asked = `${GATEWAY_ADMIN}/admin/v1/questions/${question}`;
  const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' };
  const { shown } = await (await fetch(asked, { headers })).json();
  const body = JSON.stringify({ choice: 'approve', shown });
  const answer = await fetch(`${asked}/votes`, { method: 'POST', headers, body });
  if (!answer.ok) throw new Error(`the vote was answered with ${answer.status}: ${await answer.text()}`);
}

// What a call is made with: with the question that was remembered, where it names one.
const asked = (args, state) => JSON.parse(JSON.stringify(args).replaceAll('$Q', state.question ?? ''));

async function act(step, client, state) {
  const seen = { progress: [] };
  try {
    if (step.do === 'list_tools') seen.tools = await client.listTools();
    else if (step.do === 'call') seen.result = await client.call(step.tool, asked(step.arguments, state), step.progress && ((n) => seen.progress.push(n)));
    else if (step.do === 'read_resource') seen.result = await client.readResource(step.uri);
    else if (step.do === 'get_prompt') seen.result = await client.getPrompt(step.prompt, step.arguments);
    else if (step.do === 'approve') await approve(state.question);
  } catch (error) {
    if (typeof error?.code !== 'number') throw error;
    seen.code = error.code;
    seen.message = error.message;
  }
  seen.decision = seen.result?._meta?.['dev.remit/decision'];
  seen.text = JSON.stringify(seen.result?.content ?? seen.result?.contents ?? seen.result?.messages ?? '');
  return seen;
}

function complaints(expect, seen, state, executed) {
  const found = [];
  const check = (fine, text) => fine || found.push(text);
  const names = new Set(seen.tools?.map((t) => t.name));
  if (expect.protocol_error === undefined) check(seen.code === undefined, `protocol error ${seen.code}: ${seen.message}`);
  else check(seen.code === expect.protocol_error, `expected protocol error ${expect.protocol_error}, got ${seen.code ?? seen.text}`);
  for (const name of expect.has ?? []) check(names.has(name), `${name} is not listed`);
  for (const name of expect.lacks ?? []) check(!names.has(name), `${name} is listed`);
  for (const words of expect.descriptions_without ?? []) check(!JSON.stringify(seen.tools ?? []).includes(words), `a description says "${words}"`);
  if (expect.error !== undefined) check((seen.result?.isError ?? false) === expect.error, `isError is ${seen.result?.isError}: ${seen.text}`);
  if (expect.text !== undefined) check(seen.text.includes(expect.text), `the text is ${seen.text}`);
  if (expect.structured) check(isDeepStrictEqual(seen.result?.structuredContent, expect.structured), `structured content is ${JSON.stringify(seen.result?.structuredContent)}`);
  if (expect.types) check(isDeepStrictEqual(seen.result?.content?.map((c) => c.type), expect.types), `the content is ${seen.text}`);
  if (expect.progress) check(isDeepStrictEqual(seen.progress, expect.progress), `progress was ${seen.progress}`);
  for (const [field, value] of Object.entries(expect.decision ?? {})) check(seen.decision?.[field] === value, `decision.${field} is ${seen.decision?.[field]}`);
  if (expect.same_question) check(seen.decision?.question === state.question, `the question is ${seen.decision?.question}, not ${state.question}`);
  for (const [tool, n] of Object.entries(expect.executed ?? {})) check(executed?.[tool] === n, `${tool} was executed ${executed?.[tool]} times, not ${n}`);
  return found;
}

export async function play(client) {
  if (!DIRECT && (!FIXTURE_CONTROL || !(APPROVE_CMD || GATEWAY_ADMIN))) {
    console.error('FIXTURE_CONTROL and one of APPROVE_CMD and GATEWAY_ADMIN must be set; see tests/README.md');
    process.exit(2);
  }
  console.log(`# ${client.label}`);
  const before = DIRECT ? {} : await counts();
  const state = {};
  const spoken = client.speaks === client.should;
  console.log(`${spoken ? 'ok' : 'not ok'} 1 - speaks ${client.should}${spoken ? '' : `\n  # it speaks ${client.speaks}`}`);
  let [n, failed, skipped] = [1, spoken ? 0 : 1, 0];
  for (const step of story.steps) {
    n += 1;
    if (step.governed && DIRECT) {
      console.log(`ok ${n} - ${step.name} # SKIP there is no gate`);
      skipped += 1;
      continue;
    }
    let found;
    try {
      const seen = await act(step, client, state);
      if (step.remember_question) state.question = seen.decision?.question ?? seen.result?.structuredContent?.question;
      const after = step.expect.executed ? await counts() : {};
      const executed = Object.fromEntries(Object.keys(step.expect.executed ?? {}).map((tool) => [tool, (after[tool] ?? 0) - (before[tool] ?? 0)]));
      found = complaints(step.expect, seen, state, executed);
    } catch (error) {
      found = [`${error?.name}: ${error?.message}`];
    }
    console.log(`${found.length ? 'not ok' : 'ok'} ${n} - ${step.name}`);
    for (const text of found) console.log(`  # ${text}`);
    if (found.length) failed += 1;
  }
  await client.close?.();
  console.log(`${n - failed - skipped} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
  process.exit(failed === 0 ? 0 : 1);
}

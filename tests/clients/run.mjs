#!/usr/bin/env node
// Runs every client against the gateway, one after the other.
//
//   node run.mjs [NAME...]        all clients, or those named
//
// Each client acts as an agent of its own, so that budgets and approvals do not meet: its key is the
// environment's GATEWAY_KEY_<NAME> (upper case, _ for -), else GATEWAY_KEY. Ends with "N passed, N failed".

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const cache = join(here, '../../.cache');
const node = join(cache, 'bin/node');
const python = join(cache, 'venv/bin/python');

const CLIENTS = {
  'ts-v1': [node, 'ts-v1.mjs'],
  'ts-v1-stdio': [node, 'ts-v1.mjs', 'stdio'],
  'ts-v2-legacy': [node, 'ts-v2.mjs', 'legacy'],
  'ts-v2-auto': [node, 'ts-v2.mjs', 'auto'],
  'python-auto': [python, 'python_mcp.py', 'auto'],
  'python-stdio': [python, 'python_mcp.py', 'auto', 'stdio'],
  'python-legacy': [python, 'python_mcp.py', 'legacy'],
  'python-v1': [join(cache, 'venv-v1/bin/python'), 'python_v1.py'],
  fastmcp: [python, 'fastmcp_client.py'],
};

const named = process.argv.slice(2);
for (const name of named) {
  if (!CLIENTS[name]) {
    console.error(`no client ${name}; there are ${Object.keys(CLIENTS).join(', ')}`);
    process.exit(2);
  }
}

let [passed, failed] = [0, 0];
for (const [name, [program, file, ...rest]] of Object.entries(CLIENTS)) {
  if (named.length > 0 && !named.includes(name)) continue;
  const key = process.env[`GATEWAY_KEY_${name.toUpperCase().replaceAll('-', '_')}`] ?? process.env.GATEWAY_KEY ?? '';
  const done = spawnSync(program, [join(here, file), ...rest], {
    encoding: 'utf8',
    env: { ...process.env, GATEWAY_KEY: key, PYTHONDONTWRITEBYTECODE: '1' },
    timeout: 300_000,
  });
  process.stdout.write(`\n## ${name}\n${done.stdout ?? ''}`);
  const told = /(\d+) passed, (\d+) failed/.exec(done.stdout ?? '');
  passed += Number(told?.[1] ?? 0);
  failed += Number(told?.[2] ?? 0);
  // A client that ends without a tally, or unhappily after a happy one, has failed too.
  if (!told || (done.status !== 0 && told[2] === '0')) {
    failed += 1;
    console.log(`not ok - ${name} ended with ${done.status ?? done.signal ?? done.error?.message}\n${done.stderr ?? ''}`);
  }
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

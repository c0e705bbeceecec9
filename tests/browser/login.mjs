// Another party vouches for people: invited, signed in, confirmed for a vote, and let into a terminal.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asked, invitation, open, press, signOut, textOf } from './door.mjs';
import { admin, agent, executed, home, program } from './gateway.mjs';
import { atProvider, openProvider } from './provider.mjs';
import { complaints, person, run, until, wrong } from './stage.mjs';

const { OIDC_ISSUER, GATEWAY_ADMIN } = process.env;

/** Presses what leads to the provider, says there who they are as often as they are asked, and comes back. */
async function through(page, name, selector = '#provider') {
  await page.waitForSelector(selector, { visible: true, timeout: 10_000 });
  // The way may end where it began: the page that was left knows that it was not.
  await page.evaluate(() => (window.left = false));
  await page.click(selector);
  await until(`${name} to be back`, () => answered(page, name), 30_000);
}

/** Whether they are back on a page of ours; at the provider, they answer what they are asked. */
async function answered(page, name) {
  try {
    if (!page.url().startsWith(OIDC_ISSUER)) return await page.evaluate(() => document.querySelector('main') !== null && window.left === undefined);
    await atProvider(page, name);
  } catch (error) {
    // A page that was left while it was looked at.
    if (!/context was destroyed|detached|No element|Cannot find context/i.test(error.message)) throw error;
  }
  return false;
}

export async function byLogin(tally, browser) {
  const close = await openProvider();
  const dana = await person(browser, 'dana');
  const { page } = dana;
  try {
    await tally.check('an invitation is taken by signing in with another party', async () => {
      await page.goto(await invitation('dana'), { waitUntil: 'load' });
      assert.deepEqual(await wrong(page), []);
      await through(page, 'dana-at-acme');
      assert.match(await textOf(page), /You can sign in with this login from now on.*dana-at-acme/);
      const { people } = await admin('people');
      assert.deepEqual(people.find(({ id }) => id === 'dana').login, { issuer: OIDC_ISSUER, subject: 'dana-at-acme' });
    });
    await tally.check('signed out, somebody comes in again by their login, and back to where they wanted to go', async () => {
      await signOut(dana);
      await open(page, '/console/sign-in?next=/console/ledger');
      assert.deepEqual(await wrong(page), []);
      await through(page, 'dana-at-acme');
      await until('the ledger', () => page.url() === `${home}/console/ledger`);
      assert.match(await textOf(page, '.person'), /^dana .*signed in by oidc/);
    });
    await tally.check('a vote takes a word that was given just now', async () => {
      const before = (await executed()).write_note ?? 0;
      const client = await agent();
      const waiting = client.callTool({ name: 'fixture__write_note', arguments: { path: 'ledger.txt', text: 'closed' } });
      const question = await asked('fixture/write_note', 'ledger.txt');
      await open(page, `/console/questions/${question}`);
      assert.deepEqual(await wrong(page), []);
      await press(page, 'button[name=choice][value=approve]');
      assert.match(await textOf(page), /counts no vote by .?oidc-earlier/);
      await open(page, `/console/questions/${question}`);
      await through(page, 'dana-at-acme', '#confirm');
      await until('the question again', () => page.url() === `${home}/console/questions/${question}`);
      await press(page, 'button[name=choice][value=approve]');
      assert.match(await textOf(page, '#cast'), /dana under by-login, by oidc/);
      await waiting;
      assert.equal((await executed()).write_note, before + 1);
      await client.close();
    });
    await tally.check('a terminal is let in by whoever types its code, and votes as they may', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'remit-terminal-'));
      const env = { ...process.env, REMIT_URL: GATEWAY_ADMIN };
      delete env.REMIT_OPERATOR_KEY;
      const login = spawn(program('remit'), ['-C', folder, 'login'], { env });
      let said = '';
      login.stdout.on('data', (text) => (said += text));
      login.stderr.on('data', (text) => (said += text));
      const ended = new Promise((resolve) => login.on('close', resolve));
      try {
        const code = await until('a code', () => said.match(/^ {4}([A-Z]{4}-[A-Z]{4})$/m)?.[1]);
        assert.ok(said.includes(`${home}/console/terminal`), said);
        await open(page, '/console/terminal');
        await page.type('#code', code.toLowerCase());
        await press(page, 'main button');
        assert.deepEqual(await wrong(page), []);
        assert.match(await textOf(page), /A terminal at 127\.0\.0\.1 .* to act as dana/);
        await press(page, 'button[value=let_in]');
        assert.equal(await ended, 0, said);
        assert.match(said, /signed in as dana, by oidc/);
        const remit = (...args) => run(program('remit'), ['-C', folder, ...args], { env });
        const listed = await remit('questions');
        assert.equal(listed.status, 0, listed.out);
        assert.match((await remit('people', 'invite', 'vera')).out, /no role of dana/);
        assert.equal((await remit('logout')).status, 0);
        assert.match((await remit('questions')).out, /remit login/);
      } finally {
        login.kill();
        rmSync(folder, { recursive: true, force: true });
      }
    });
    await tally.check('whoever the provider knows and nobody here does is nobody', async () => {
      const mallory = await person(browser, 'mallory');
      await open(mallory.page, '/console/sign-in');
      await through(mallory.page, 'mallory');
      assert.match(await textOf(mallory.page), /nobody here is linked to that login/);
      const kept = (await mallory.context.cookies()).map(({ name }) => name);
      assert.deepEqual(kept.filter((name) => name.startsWith('remit')), []);
      await open(mallory.page, '/console');
      assert.match(mallory.page.url(), /\/console\/sign-in/);
    });
  } finally {
    await close();
    // What the provider's own pages complain about is not ours.
    complaints.splice(0, complaints.length, ...complaints.filter((complaint) => !complaint.includes(OIDC_ISSUER)));
  }
}

// The main story: an agent waits, people come in, look and sign, the agent goes on, and strangers can check it.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acceptByPasskey, acceptByPassword, addPasskey, asked, cookie, open, press, signInByPasskey, signInByPassword, signOut, textOf, vote } from './door.mjs';
import { admin, agent, answerBack, call, executed, home, judged, remit, withCookie } from './gateway.mjs';
import { complaints, person, run, until } from './stage.mjs';

/** The picture for an app on another device holds the secret of the page, whatever the page's colours: a reader that
 * nobody here wrote says so. */
async function code({ page }) {
  const folder = mkdtempSync(join(tmpdir(), 'remit-qr-'));
  try {
    for (const value of ['dark', 'light']) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }]);
      const picture = await page.$('svg.qr[role=img][aria-label]');
      await picture.screenshot({ path: join(folder, `${value}.png`) });
      const { status, stdout, out } = await run('zbarimg', ['--quiet', '--raw', join(folder, `${value}.png`)]);
      assert.equal(status, 0, `${value}: ${out}`);
      const read = new URL(stdout.trim());
      assert.deepEqual([read.protocol, read.searchParams.get('secret')], ['otpauth:', await textOf(page, 'dl.facts code')]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Comes in, and lets two people sign while the agent waits. Answers the question that they signed. */
export async function story(tally, people) {
  const { alice, carol, vera, bob } = people;
  let question;
  await tally.check('an invitation leads in, by password and code', async () => {
    for (const one of [alice, vera, bob]) {
      await acceptByPassword(one, code);
      assert.equal(one.page.url(), `${home}/console`);
      assert.match(await textOf(one.page, '.person'), new RegExp(`^${one.name} .*signed in by password`));
    }
  });
  await tally.check('a passkey is added on the page of the account', async () => {
    await addPasskey(alice);
    assert.match(await textOf(alice.page), /The passkey was added\..*alice's laptop/);
  });
  await tally.check('signed out is out, also for whoever kept the cookie', async () => {
    const kept = await cookie(alice);
    assert.equal(await withCookie(kept, 'questions'), 200);
    await signOut(alice);
    assert.match(await textOf(alice.page), /You are signed out/);
    assert.equal(await withCookie(kept, 'questions'), 401);
    assert.equal(await cookie(alice), undefined);
    await open(alice.page, '/console/account');
    assert.ok(alice.page.url().startsWith(`${home}/console/sign-in?next=`));
  });
  await tally.check('a passkey signs in, and leads back to where one wanted to go', async () => {
    await signInByPasskey(alice, '/console/sign-in?next=/console/ledger');
    assert.equal(alice.page.url(), `${home}/console/ledger`);
    assert.match(await textOf(alice.page, '.person'), /signed in by passkey/);
  });
  await tally.check('an invitation leads in by passkey alone', async () => {
    await acceptByPasskey(carol);
    await signInByPasskey(carol);
    assert.equal(carol.page.url(), `${home}/console`);
  });
  await tally.check('two people sign with their passkeys while an MCP client waits, and its call is carried out once', async () => {
    const before = (await executed()).pay ?? 0;
    const client = await agent();
    const began = Date.now();
    let answered = false;
    const waiting = client.callTool({ name: 'fixture__pay', arguments: { to: 'acct-3391', amount: 420 } }).finally(() => (answered = true));
    question = await asked('fixture/pay', 'acct-3391');
    assert.match(await vote(alice, question, { reason: 'the invoice is right' }), /approve.* alice under two-passkeys, by .*passkey/i);
    assert.equal(answered, false, 'one of two is not enough');
    assert.equal((await executed()).pay ?? 0, before, 'nothing happens before the second');
    assert.match(await vote(carol, question), /carol under two-passkeys, by .*passkey/i);
    const result = await waiting;
    assert.match(JSON.stringify(result.content), /paid 420 to acct-3391/);
    assert.equal((await executed()).pay, before + 1);
    await client.close();
    return `the client waited ${Date.now() - began} ms`;
  });
  return question;
}

const decoded = (envelope) => JSON.parse(Buffer.from(envelope.payload, 'base64'));
const ofVotes = ({ check, detail }) => check === 'story' && /: signed by a passkey/.test(detail);

/** What was signed is exported, and judged by verifiers that know nothing of the gateway. */
export async function proven(tally, question) {
  const folder = mkdtempSync(join(tmpdir(), 'remit-bundle-'));
  const [good, bad, trust] = ['good', 'bad', 'trust'].map((name) => join(folder, `${name}.json`));
  try {
    await tally.check('the exported bundle verifies: two verifiers say that both votes were signed by passkeys', async () => {
      const { run } = await admin(`questions/${question}`);
      const { status, stdout } = await remit('ledger', 'trust');
      assert.equal(status, 0);
      writeFileSync(trust, stdout);
      const exported = ['evidence', 'bundle', '--run', run, '--show', 'approver,reason,shown', '--out', good];
      await until('a checkpoint that covers the run', async () => (await remit(...exported)).status === 0);
      const [rust, python] = await judged(good, trust);
      assert.deepEqual([rust.status, rust.verdict, python.status, python.verdict], [0, 'VALID', 0, 'VALID'], JSON.stringify([...rust.checks, ...python.checks].filter(({ outcome }) => outcome !== 'holds')));
      const said = rust.checks.filter(ofVotes);
      assert.equal(said.length, 2, JSON.stringify(said));
      for (const { detail } of said) assert.match(detail, /: signed by a passkey that only the operator says is theirs/);
      // And that this was enough people: counted offline, by what the records say.
      const admitted = rust.checks.filter(({ detail }) => detail.startsWith('admitted under'));
      assert.match(admitted[0]?.detail ?? '', /by 2 people of 2 needed: 2 signed, for 0 a login vouches/);
      const votes = JSON.parse(readFileSync(good)).claims.map(({ envelope }) => decoded(envelope).predicate).filter(({ kind }) => kind === 'approval');
      assert.deepEqual(votes.map(({ assurance }) => assurance), ['passkey', 'passkey']);
      assert.notEqual(votes[0].assertion.key, votes[1].assertion.key);
    });
    await tally.check('a bundle in which the signatures of two votes change places fails', async () => {
      const bundle = JSON.parse(readFileSync(good));
      const votes = bundle.claims.filter(({ envelope }) => decoded(envelope).predicate.kind === 'approval');
      const [one, other] = votes.map(({ envelope }) => decoded(envelope));
      [one.predicate.assertion, other.predicate.assertion] = [other.predicate.assertion, one.predicate.assertion];
      for (const [at, statement] of [one, other].entries()) votes[at].envelope.payload = Buffer.from(JSON.stringify(statement)).toString('base64');
      writeFileSync(bad, JSON.stringify(bundle));
      for (const { status, verdict, checks } of await judged(bad, trust)) {
        assert.deepEqual([status, verdict], [1, 'INVALID']);
        // Not only the gateway's signature is broken: the passkeys did not sign these votes.
        const votes = checks.filter(({ check, claim, outcome }) => check === 'story' && outcome === 'fails' && claim !== null);
        assert.ok(votes.length >= 2, JSON.stringify(checks.filter(({ outcome }) => outcome !== 'holds')));
      }
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Reading and voting by a browser that runs no scripts, in a session by password. */
export async function withoutScript(tally, browser, { alice }) {
  const plain = await person(browser, 'alice', { script: false });
  await tally.check('without scripts one signs in, and nobody leads away from the console', async () => {
    const answer = await signInByPassword(plain, alice.secret, '/console/sign-in?next=https%3A%2F%2Fevil.example%2F');
    assert.equal(answer.status(), 200);
    assert.equal(plain.page.url(), `${home}/console`);
  });
  const held = async (text) => (await call('fixture/write_note', { path: 'a.md', text })).question;
  await tally.check('without scripts one reads a question and approves it', async () => {
    const args = { path: 'drafts/plan.md', text: 'one\ntwo' };
    const { question } = await call('fixture/write_note', args);
    await open(plain.page, '/console');
    await press(plain.page, `tr[data-key="${question}"] a`);
    assert.match(await textOf(plain.page), /drafts\/plan\.md/);
    await plain.page.type('#reason', 'looked at it');
    await press(plain.page, 'button[name=choice][value=approve]');
    assert.match(await textOf(plain.page, '#cast'), /alice under one-person, by password.*looked at it/);
    const done = await call('fixture/write_note', args);
    assert.equal(done.status, 'done', JSON.stringify(done));
  });
  await tally.check('without scripts one denies with a reason, asks back, and reads the answer', async () => {
    const question = await held('denied');
    await open(plain.page, `/console/questions/${question}`);
    await plain.page.click('#ask-back summary');
    await plain.page.type('#remark', 'For whom is it?');
    await press(plain.page, '#ask-back button');
    const said = await answerBack(question, 'For Ada.');
    assert.equal(said.http, 200, JSON.stringify(said));
    await plain.page.reload();
    assert.match(await textOf(plain.page), /asked the agent.*For whom is it\?.*In the agent's words.*For Ada\./);
    assert.match(await vote(plain, question, { choice: 'deny', reason: 'not this one' }), /alice.*not this one/);
    assert.equal((await admin(`questions/${question}`)).state, 'denied');
  });
  await tally.check('without scripts nobody gets around the passkey', async () => {
    const { question } = await call('fixture/pay', { to: 'acct-7', amount: 7 });
    await open(plain.page, `/console/questions/${question}`);
    assert.match(await textOf(plain.page, '#yours'), /That needs scripts/);
    await press(plain.page, 'button[value=approve]');
    assert.match(await textOf(plain.page), /counts a vote only if it is signed by the voter.s own passkey/);
    assert.deepEqual((await admin(`questions/${question}`)).votes, []);
  });
  await plain.context.close();
}

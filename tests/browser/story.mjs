// The main story: an agent waits, people come in, look and sign, the agent goes on, and strangers can check it.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acceptByPasskey, acceptByPassword, addPasskey, asked, cookie, open, press, signInByPasskey, signInByPassword, signOut, textOf, vote } from './door.mjs';
import { admin, agent, answerBack, call, executed, home, judged, openRun, remit, withCookie } from './gateway.mjs';
import { complaints, person, until } from './stage.mjs';

/** Comes in, and lets two people sign while the agent waits. Answers the question that they signed. */
export async function story(tally, people) {
  const { alice, carol, vera, bob } = people;
  let question;
  await tally.check('an invitation leads in, by password and code', async () => {
    for (const one of [alice, vera, bob]) {
      await acceptByPassword(one);
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
export async function proven() {}
export async function withoutScript() {}

// What else people do about a held call, and about what protects them: with their own hands, in the console.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addPasskey, open, press, textOf, vote } from './door.mjs';
import { admin, call, openRun } from './gateway.mjs';

const held = async (tool, args, run) => {
  const { question, ...rest } = await call(tool, args, run);
  assert.ok(question, JSON.stringify(rest));
  return question;
};
const state = async (question) => (await admin(`questions/${question}`)).state;
const unfold = (page, selector) => page.click(`${selector} > summary`);
const fill = (page, selector, text) => page.$eval(selector, (field, value) => (field.value = value), text);

/** Calls in others, approves for the run, puts another call in a held one's place. */
export async function answers(tally, { alice, carol }) {
  await tally.check('an approver calls in the next people at once', async () => {
    const question = await held('fixture/write_note', { path: 'escalated.md', text: 'x' });
    await open(alice.page, `/console/questions/${question}`);
    await unfold(alice.page, '#escalate');
    await alice.page.type('#why-others', 'the leads know this customer');
    await press(alice.page, '#escalate button');
    const { live } = await admin(`questions/${question}`);
    assert.equal(live.rules[0].steps, 1);
    assert.equal(await alice.page.$('#escalate'), null, 'there is nobody else to call in');
    assert.match(await vote(alice, question, { choice: 'deny', reason: 'they say no' }), /alice.*they say no/);
  });
  await tally.check('an approval for the run lets the same call through twice, and no third time', async () => {
    const run = await openRun('ada@acme.example', 'Keep the log.');
    const note = { path: 'log.md', text: 'again' };
    const question = await held('fixture/write_note', note, run);
    await open(alice.page, `/console/questions/${question}`);
    await unfold(alice.page, '#for-run');
    await fill(alice.page, '#calls', '2');
    await press(alice.page, '#for-run button');
    assert.match(await textOf(alice.page, '#cast'), /approve.*alice under one-person/);
    for (const time of [1, 2]) assert.equal((await call('fixture/write_note', note, run)).status, 'done', `time ${time}`);
    assert.notEqual((await call('fixture/write_note', note, run)).status, 'done');
  });
  await tally.check('other arguments are put in the place of a held call, and the agent makes exactly those', async () => {
    const question = await held('fixture/write_note', { path: 'wide/all.md', text: 'x' });
    await open(alice.page, `/console/questions/${question}`);
    await unfold(alice.page, '#narrow');
    await fill(alice.page, '#changed', '{"path": "wide/one.md", "text": "x"}');
    await alice.page.type('#why-changed', 'one is enough');
    await press(alice.page, '#narrow button');
    assert.ok(!alice.page.url().endsWith(question), 'one goes on to the other call');
    assert.match(await textOf(alice.page, '#cast'), /approve.*alice under one-person.*one is enough/);
    assert.equal(await state(question), 'narrowed');
    assert.equal((await call('fixture/write_note', { path: 'wide/one.md', text: 'x' })).status, 'done');
  });
  await tally.check('where passkeys vote, a passkey narrows, and the other call needs its own two', async () => {
    const question = await held('fixture/pay', { to: 'acct-900', amount: 900 });
    await open(alice.page, `/console/questions/${question}`);
    await unfold(alice.page, '#narrow');
    await fill(alice.page, '#changed', '{"to": "acct-900", "amount": 90}');
    await alice.page.type('#why-changed', 'a tenth first');
    await press(alice.page, '#narrow button');
    const next = alice.page.url().split('/').at(-1);
    assert.notEqual(next, question);
    assert.deepEqual([await state(question), (await admin(`questions/${next}`)).votes], ['narrowed', []]);
    await vote(alice, next);
    assert.equal(await state(next), 'open', 'one of two');
    await vote(carol, next);
    assert.equal((await call('fixture/pay', { to: 'acct-900', amount: 90 })).status, 'done');
  });
}

/** Changes what protects the organisation, and who votes for whom. */
export async function steering(tally, { alice, bob, carol, vera }) {
  const file = join(process.env.FOLDER, 'guardrails/money.cedar');
  const before = readFileSync(file, 'utf8');
  let first;
  await tally.check('two people let a guardrail be only observed, each with their own passkey', async () => {
    first = (await admin('snapshots')).in_force;
    await addPasskey(bob);
    writeFileSync(file, before.replace('@reason', '@mode("observe")\n@reason'));
    const { pending } = await admin('reload', {});
    assert.equal(pending?.needed, 2, JSON.stringify(pending));
    const path = `/console/changes/${pending.change}`;
    await open(vera.page, path);
    assert.match(await textOf(vera.page), /would only be observed.*comes: @mode\("observe"\).*You have no vote here/);
    await open(bob.page, '/console');
    await press(bob.page, '#beside a');
    assert.ok(bob.page.url().endsWith(path));
    for (const [who, said] of [[bob, 'waits'], [carol, 'in force']]) {
      await open(who.page, path);
      await who.page.type('#reason', 'looked at it');
      await press(who.page, 'button[value=approve]');
      assert.match(await textOf(who.page, '#cast'), new RegExp(`approve ${who.name} by passkey.*looked at it`));
      assert.match(await textOf(who.page, '#state'), new RegExp(said));
    }
  });
  await tally.check('the history leads back, and what narrows needs nobody', async () => {
    await open(bob.page, '/console/history');
    assert.match(await textOf(bob.page, '#snapshots'), /people, who agreed to a change who agreed/);
    await open(bob.page, `/console/history/${first}`);
    assert.match(await textOf(bob.page), /What bringing it back would change.*goes: @mode/);
    await press(bob.page, 'form[action$=restore] button');
    assert.equal((await admin('snapshots')).in_force, first);
    writeFileSync(file, before);
  });
  await tally.check('“always” becomes a proposal, and the proposal a change that people vote on', async () => {
    const question = await held('fixture/write_note', { path: 'always.md', text: 'the same' });
    await open(bob.page, `/console/questions/${question}`);
    await unfold(bob.page, '#always');
    await press(bob.page, '#always button');
    assert.match(await textOf(bob.page, '#proposals'), /Into remits\/shop\.yaml.*args\.path == "always\.md"/);
    await press(bob.page, '#proposals form button');
    assert.match(await textOf(bob.page), /shop would have more of write.*How shop has fared/);
    await bob.page.type('#reason', 'not yet');
    await press(bob.page, 'button[value=refuse]');
    assert.match(await textOf(bob.page, '#state'), /refused/);
    await open(bob.page, '/console/agents/shop/standing');
    await press(bob.page, 'button[value=autonomous]');
    assert.match(await textOf(bob.page), /would be autonomous instead of supervised/);
  });
  await tally.check('a vote is lent for a day and taken back', async () => {
    await open(alice.page, '/console/delegations');
    await alice.page.select('#to', 'carol');
    await alice.page.select('#only', 'one-person');
    await press(alice.page, 'form.stack button.main');
    assert.match(await textOf(alice.page), /alice ?carol ?one-person/);
    await press(alice.page, 'button[aria-label="Take back that carol votes for alice"]');
    assert.match(await textOf(alice.page), /Nobody stands in for anybody/);
    await alice.page.select('#to', 'carol');
    await press(alice.page, 'form.stack button.main');
  });
  await tally.check('what went through is looked at afterwards, and objected to', async () => {
    await open(bob.page, '/console/reviews');
    const waits = (await admin('reviews')).waiting;
    assert.ok(waits >= 2, `${waits} wait`);
    await bob.page.click('#reviews details > summary');
    await fill(bob.page, '#reviews details[open] textarea', 'nobody asked for this note');
    await press(bob.page, '#reviews details[open] button[value=objected]');
    assert.equal((await admin('reviews')).waiting, waits - 1);
  });
}

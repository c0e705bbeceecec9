// Hands two files to the verifier, and shows what it says. Everything shown is text, never markup.
const bytes = Uint8Array.from(atob(MODULE), (c) => c.charCodeAt(0));
const byId = (id) => document.getElementById(id);

const module = await WebAssembly.compile(bytes);

// The module asks for functions that a binder would have put in place. Nothing calls them, and there is
// nothing else that it could reach.
const nothing = {};
for (const { module: room, name } of WebAssembly.Module.imports(module)) {
  (nothing[room] ??= {})[name] = () => {
    throw new Error(`the verifier asked for ${name}`);
  };
}

// A fresh instance for each bundle: nothing of one can reach the next, and what it took is given back whole.
async function verify(bundle, trust, pin) {
  const { memory, room, verify } = (await WebAssembly.instantiate(module, nothing)).exports;
  const put = (file) => {
    const at = room(file.length);
    if (at === 0) throw new Error('a file is larger than any bundle may be');
    // Room may have moved the memory, so a view is made only now.
    new Uint8Array(memory.buffer, at, file.length).set(file);
    return [at, file.length];
  };
  const at = verify(...[bundle, trust, pin].map(put).flat());
  const length = new DataView(memory.buffer).getUint32(at, true);
  return JSON.parse(new TextDecoder().decode(new Uint8Array(memory.buffer, at + 4, length)));
}

const visible = (text) => String(text ?? '').replace(/[\p{Cc}\p{Cf}]/gu, '\ufffd');
const row = (...cells) => {
  const row = document.createElement('tr');
  for (const [text, look] of cells) {
    const cell = row.insertCell();
    cell.textContent = visible(text);
    if (look) cell.className = look;
  }
  return row;
};

/** A witness's time and a timestamper's are two statements, by two parties. */
const times = ({ existed_by: seen, anchored }) =>
  [seen && `cosigned at ${seen}`, anchored && `stamped by ${anchored.by} at ${anchored.at}`].filter(Boolean).join(', ');

function show(report) {
  byId('report').hidden = false;
  const verdict = report.error ? 'NOT JUDGED' : report.verdict;
  byId('verdict').textContent = verdict;
  byId('verdict').className = report.error ? 'INDETERMINATE' : verdict;
  byId('under').textContent = report.error
    ? visible(report.error)
    : visible(`under trust document ${report.trust.version} of ${report.trust.tenant}, fingerprint ${report.trust.fingerprint}${report.trust.pinned ? ', the one you gave' : ': compare it'}`);
  byId('limits').replaceChildren(...(report.not_proven ?? []).map((text) => Object.assign(document.createElement('li'), { textContent: visible(text) })));
  byId('claims').tBodies[0].replaceChildren(
    ...(report.claims ?? []).map((claim) => row([claim.record ?? '?'], [claim.kind ?? 'unread'], [claim.level], [claim.log ? `leaf ${claim.index} of ${claim.log}` : ''], [times(claim)])),
  );
  byId('checks').tBodies[0].replaceChildren(
    ...(report.checks ?? []).map(({ check, claim, outcome, detail }) => row([outcome, `mark ${outcome}`], [check], [claim === null ? 'bundle' : `claim ${claim}`], [detail])),
  );
}

byId('ask').addEventListener('submit', async (event) => {
  event.preventDefault();
  const read = async (id) => new Uint8Array(await byId(id).files[0].arrayBuffer());
  try {
    show(await verify(await read('bundle'), await read('trust'), new TextEncoder().encode(byId('pin').value)));
  } catch (error) {
    // A verifier that broke off has found nothing out.
    show({ error: `the verifier ended without a verdict: ${error.message}` });
  }
});

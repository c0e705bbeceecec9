// A vote that a passkey signs: asks the gateway for the statement, has the person's own device sign it, and hands
// both in. The gateway checks everything again; nothing is decided here.

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const post = async (path, body, csrf) => {
  const headers = { "content-type": "application/json", ...(csrf ? { "x-csrf-token": csrf } : {}) };
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), redirect: "error" });
  const answer = await response.json();
  if (!response.ok) throw new Error([answer.error?.reason, answer.error?.remedy].filter(Boolean).join(". "));
  return answer;
};

// Dollars to millionths, without a float in between.
const microUsd = (dollars) => {
  const [, whole, fraction = ""] = dollars.trim().match(/^(\d{1,9})(?:\.(\d{0,6}))?$/) ?? [];
  if (whole === undefined) throw new Error("Say for how much money, in USD.");
  return Number(whole + fraction.padEnd(6, "0"));
};

const bounds = (form, { calls, money, minutes }) => {
  if (!(Number(minutes) > 0)) throw new Error("Say for how many minutes.");
  const until = Math.min(Date.now() + Number(minutes) * 60_000, Date.parse(form.dataset.expires));
  return { calls_max: Number(calls), cost_max_micro_usd: microUsd(money), until: new Date(until).toISOString() };
};

const vote = async (form, choice) => {
  const { csrf, calls, money, minutes, ...said } = Object.fromEntries(new FormData(form));
  const at = form.dataset.sign;
  const ballot = { ...said, choice, reason: said.reason.replaceAll("\r\n", "\n").trim() };
  if (choice === "approve_run") ballot.bounds = bounds(form, { calls, money, minutes });
  if (choice === "narrow") ballot.arguments = JSON.parse(said.arguments);
  const asked = await post(`${at}/statements`, ballot, csrf);
  const made = await navigator.credentials.get({
    publicKey: {
      challenge: bytes(asked.challenge),
      rpId: asked.rp_id,
      allowCredentials: asked.passkeys.map((id) => ({ type: "public-key", id: bytes(id) })),
      userVerification: "required",
    },
  });
  const assertion = {
    nonce: asked.nonce,
    credential: text(made.rawId),
    client_data: text(made.response.clientDataJSON),
    authenticator_data: text(made.response.authenticatorData),
    signature: text(made.response.signature),
  };
  if (choice !== "narrow") {
    await post(`${at}/votes`, { ...ballot, assertion }, csrf);
    return form.dataset.back;
  }
  const { choice: _, ...changed } = ballot;
  const { next } = await post(`${at}/narrow`, { ...changed, assertion }, csrf);
  // Where the other call waits for people, that is where to go on.
  return next ? `/console/questions/${encodeURIComponent(next.question)}` : form.dataset.back;
};

// Which element says that this vote has to be signed: the rule that is chosen, or the form itself.
const chosen = (form) => form.querySelector("select[name=rule]")?.selectedOptions[0] ?? form.querySelector("input[name=rule]") ?? form;

// One listener for the page: the form itself may be exchanged when a question changes.
document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-sign]");
  if (!form || !chosen(form).hasAttribute("data-signed")) return;
  event.preventDefault();
  const wrong = form.querySelector("[data-wrong]");
  wrong.hidden = true;
  try {
    location.assign(await vote(form, event.submitter.value));
  } catch (error) {
    wrong.textContent = error.name === "NotAllowedError" ? "It was not signed. Nothing was counted." : error.message;
    wrong.hidden = false;
  }
});

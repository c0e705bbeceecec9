// Passkeys: carries bytes between the browser's own dialog and the gateway. It decides nothing and keeps nothing.

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const post = async (path, body, csrf) => {
  const headers = { "content-type": "application/json", ...(csrf ? { "x-csrf-token": csrf } : {}) };
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), redirect: "error" });
  const answer = await response.json();
  if (!response.ok) throw new Error([answer.reason, answer.remedy].filter(Boolean).join(". "));
  return answer;
};

const signIn = async (next) => {
  const asked = await post("/console/sign-in/challenge", {});
  const made = await navigator.credentials.get({ publicKey: { ...asked, challenge: bytes(asked.challenge) } });
  return post("/console/sign-in/passkey", {
    id: text(made.rawId),
    clientDataJSON: text(made.response.clientDataJSON),
    authenticatorData: text(made.response.authenticatorData),
    signature: text(made.response.signature),
    next,
  });
};

const add = async (at, label, csrf) => {
  const asked = await post(`${at}/challenge`, {}, csrf);
  const made = await navigator.credentials.create({
    publicKey: {
      ...asked,
      challenge: bytes(asked.challenge),
      user: { ...asked.user, id: bytes(asked.user.id) },
      excludeCredentials: asked.excludeCredentials.map((known) => ({ ...known, id: bytes(known.id) })),
    },
  });
  return post(at.startsWith("/console/invitation/") ? `${at}/passkey` : at, {
    label,
    clientDataJSON: text(made.response.clientDataJSON),
    attestationObject: text(made.response.attestationObject),
  }, csrf);
};

for (const part of document.querySelectorAll("[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  part.hidden = false;
  const button = part.querySelector("button");
  const wrong = part.querySelector("[data-wrong]");
  part.querySelector("form")?.addEventListener("submit", (event) => { event.preventDefault(); button.click(); });
  button.addEventListener("click", async () => {
    wrong.hidden = true;
    button.disabled = true;
    try {
      const { passkey: at, next, csrf } = part.dataset;
      const label = part.querySelector("[name=label]")?.value ?? "";
      const answer = await (at === "sign-in" ? signIn(next) : add(at, label, csrf));
      location.assign(answer.next);
    } catch (error) {
      const given = error.name === "NotAllowedError" ? "It was not finished. Try again." :
        error.name === "InvalidStateError" ? "This device has a passkey of yours already." : error.message;
      wrong.textContent = given;
      wrong.hidden = false;
      button.disabled = false;
    }
  });
}

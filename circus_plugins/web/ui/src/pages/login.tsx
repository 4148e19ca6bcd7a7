/** Who are you? Either a user of the configuration, or the bearer of a link that circushttpd printed. */
import { useState } from "preact/hooks";
import { home } from "../wire/connection";

export function Login() {
  const link = new URLSearchParams(location.search).get("link");
  const [user, called] = useState("");
  const [password, spelled] = useState("");
  const [wrong, say] = useState("");
  const [busy, work] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    work(true);
    say(await refused(link ? { link } : { user, password }));
    work(false);
  };
  return (
    <main class="login">
      <form class="card body" onSubmit={(event) => void submit(event)}>
        <div class="brand">
          <img src={`${home}favicon.svg`} alt="" />
          <h1>circus</h1>
        </div>
        {wrong && (
          <div class="notice bad" role="alert">
            {wrong}
          </div>
        )}
        {link ? (
          <p class="muted">This link logs you in once.</p>
        ) : (
          <>
            <div class="field">
              <label for="user">User</label>
              <input id="user" autocomplete="username" autofocus required value={user} onInput={(event) => called(event.currentTarget.value)} />
            </div>
            <div class="field">
              <label for="password">Password</label>
              <input id="password" type="password" autocomplete="current-password" required value={password} onInput={(event) => spelled(event.currentTarget.value)} />
            </div>
          </>
        )}
        <button class="main" type="submit" disabled={busy}>
          Log in
        </button>
        {!link && (
          <p class="small muted">
            Without users in the configuration: <code>circushttpd --link</code> on the machine of circusd prints a link that logs in.
          </p>
        )}
      </form>
    </main>
  );
}

/** Log in and go to the console; answers why it was refused. */
async function refused(who: object): Promise<string> {
  try {
    const response = await fetch(`${home}login`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Requested-With": "circus" },
      body: JSON.stringify(who),
    });
    const told = (await response.json()) as { reason?: string; hint?: string };
    if (response.ok) {
      location.replace(home + location.hash);
      return "";
    }
    return [told.reason, told.hint].filter(Boolean).join(". ") || "that is not right";
  } catch {
    return "The server does not answer.";
  }
}

import { useState } from "preact/hooks";
import { Problem, signIn } from "../session";

export function SignIn() {
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);
  const [change, setChange] = useState(false); // an admin has reset the password
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(given.get(name) ?? "");
    setBusy(true);
    setFailure("");
    try {
      await signIn(text("email"), text("password"), text("new_password") || undefined);
    } catch (error) {
      if (error instanceof Problem && error.code === "password_change_required") setChange(true);
      setFailure(error instanceof Problem ? error.message : "The server does not answer. Try again.");
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="signin">
      <h1>HP Analytics</h1>
      <form onSubmit={(event) => void submit(event)}>
        <label class="field">
          E-mail address
          <input name="email" type="email" autocomplete="username" required />
        </label>
        <label class="field">
          Password
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        {change && (
          <label class="field">
            New password
            <input name="new_password" type="password" autocomplete="new-password" minLength={12} required />
          </label>
        )}
        {failure !== "" && <p class="note" role="alert">{failure}</p>}
        <button class="primary" disabled={busy}>{busy ? "Signing in…" : "Sign in"}</button>
      </form>
    </main>
  );
}

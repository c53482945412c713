import { useState } from "preact/hooks";
import { Form, Input, NewPassword } from "../parts/form";
import { ended, Problem, signIn } from "../session";

export function SignIn() {
  return (
    <main class="signin">
      <h1>HP Analytics</h1>
      {ended.value !== "" && <p class="note" role="status">{ended.value}</p>}
      <Credentials label="Sign in" />
    </main>
  );
}

// Credentials signs in, and does what comes after that.
export function Credentials({ label, then }: { label: string; then?: () => Promise<void> }) {
  const [change, setChange] = useState(false); // an admin has reset the password
  const send = async (text: (name: string) => string) => {
    try {
      await signIn(text("email"), text("password"), text("new_password") || undefined);
    } catch (error) {
      if (error instanceof Problem && error.code === "password_change_required") setChange(true);
      throw error;
    }
    await then?.();
  };
  return (
    <Form label={label} busy="Signing in…" send={send}>
      <Input name="email" label="E-mail address" type="email" autocomplete="username" />
      <Input name="password" label="Password" type="password" autocomplete="current-password" />
      {change && <NewPassword label="New password" />}
    </Form>
  );
}

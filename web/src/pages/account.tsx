import { useState } from "preact/hooks";
import { changePassword } from "../account";
import { Form, Input, NewPassword } from "../parts/form";
import { number } from "../format";
import { me, signOutEverywhere } from "../session";

export function AccountPage() {
  const account = me.value;
  if (!account) return null;
  return (
    <>
      <div class="head"><h1>Account</h1></div>
      <section class="card">
        <h2>{account.name || account.email}</h2>
        <dl>
          <dt>E-mail address</dt><dd>{account.email}</dd>
          {account.role === "admin" && <><dt>Role</dt><dd>Admin of the installation</dd></>}
          {account.projects.map((p) => <><dt>{p.name}</dt><dd>{p.role}</dd></>)}
        </dl>
      </section>
      <div class="columns">
        <Password />
        <Sessions />
      </div>
    </>
  );
}

function Password() {
  const [done, setDone] = useState("");
  const send = async (text: (name: string) => string) => {
    setDone("");
    const others = await changePassword(text("password"), text("new_password"));
    setDone(others === 0 ? "The password was changed." : `The password was changed. Sign-ins that were ended on other devices: ${number(others)}.`);
  };
  return (
    <section class="card">
      <h2>Password</h2>
      <p class="quiet">A new password signs you out on all other devices.</p>
      <Form label="Change password" busy="Changing…" send={send} key={done}>
        <input class="away" name="email" type="email" autocomplete="username" value={me.value?.email} readOnly tabIndex={-1} aria-hidden="true" />
        <Input name="password" label="Password now" type="password" autocomplete="current-password" />
        <NewPassword label="New password" />
      </Form>
      <p role="status">{done}</p>
    </section>
  );
}

function Sessions() {
  return (
    <section class="card">
      <h2>Devices</h2>
      <p class="quiet">Did you lose a device, or forget to sign out? This signs you out here, too.</p>
      <Form label="Sign out everywhere" busy="Signing out…" send={signOutEverywhere}>{null}</Form>
    </section>
  );
}

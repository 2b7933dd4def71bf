"""The page that asks for the login.

The login URL carries the password after `#`. Browsers never send that part to a server, so it
appears in no log and no Referer; the page's script submits it and removes it from the address bar.
"""

import secrets

from starlette.responses import HTMLResponse

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>charmill: log in</title>
<style nonce="{nonce}">
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 15vh auto; }}
body {{ padding: 0 1rem; }}
h1 {{ font-size: 1.3rem; }}
form {{ display: flex; gap: .5rem; }}
input {{ flex: 1; font: inherit; padding: .4rem .6rem; }}
button {{ font: inherit; padding: .4rem 1rem; }}
#wrong {{ color: #c22; min-height: 1.5em; }}
small {{ opacity: .8; }}
</style>
</head>
<body>
<h1>charmill</h1>
<form method="post" action="/login">
<input type="text" name="username" value="charmill" autocomplete="username" hidden>
<input type="password" name="password" aria-label="Password" placeholder="Password"
 autocomplete="current-password" autofocus required>
<button>Log in</button>
</form>
<p id="wrong" role="alert">{wrong}</p>
<small>The command <code>charmill login</code>, on the machine that serves, prints a link that logs
you in, and the password in it.</small>
<script nonce="{nonce}">
const form = document.forms[0];
async function logIn() {{
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch("/login", {{method: "POST", body, redirect: "manual"}});
  if (answer.type !== "opaqueredirect") {{
    document.getElementById("wrong").textContent = {message};
  }} else if (location.pathname === "/login") {{
    location.replace("/");
  }} else {{
    location.reload();
  }}
}}
form.addEventListener("submit", event => {{ event.preventDefault(); logIn(); }});
const password = decodeURIComponent(location.hash.slice(1));
if (password && location.pathname === "/login") {{
  history.replaceState(null, "", location.pathname);
  form.elements.password.value = password;
  logIn();
}}
</script>
</body>
</html>
"""
WRONG = "This is not the password of this server."


def login_page(status: int = 200, *, is_wrong: bool = False) -> HTMLResponse:
    """The login page; only its own script and style may run on it."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    page = PAGE.format(nonce=nonce, wrong=WRONG if is_wrong else "", message=f'"{WRONG}"')
    return HTMLResponse(
        page, status, {"content-security-policy": policy, "cache-control": "no-store"}
    )

#!/bin/sh
# add-tables.sh MSI: what the installer needs and wixl 0.101 has no element for.
#   Environment        the program folder joins the system's PATH, and leaves it again
#   LaunchCondition    64-bit Windows from 10 and Server 2016 on, which WINDOWSMAJOR (shadowpipe.wxs) shows
set -eu
msi=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
query() { msibuild "$msi" -q "$1"; }

msibuild "$msi" -i "$here/environment.idt"
query "INSERT INTO \`InstallExecuteSequence\` (\`Action\`, \`Sequence\`) VALUES ('RemoveEnvironmentStrings', 3300)"
query "INSERT INTO \`InstallExecuteSequence\` (\`Action\`, \`Sequence\`) VALUES ('WriteEnvironmentStrings', 5200)"
query "INSERT INTO \`LaunchCondition\` (\`Condition\`, \`Description\`) VALUES ('Installed OR (VersionNT64 AND WINDOWSMAJOR)', 'Shadowpipe needs 64-bit Windows 10, Windows Server 2016 or later.')"

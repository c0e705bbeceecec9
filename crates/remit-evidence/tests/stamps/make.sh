#!/bin/sh
# Makes the certificates and tokens of this folder with OpenSSL, which nobody here wrote. They are kept: what verified
# once has to verify for ever. The keys of certificates without a number come from seeds and guard nothing.
#
#   crates/remit-evidence/tests/stamps/make.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
printf 'what was stamped\n' > stamped.txt

# A P-256 key from a byte (RFC 5915, 3).
seeded() {
  scalar=$(printf "%064s" "" | sed "s/  /$2/g")
  printf '30310201010420%sa00a06082a8648ce3d030107' "$scalar" | xxd -r -p | openssl ec -inform DER -out "$1.key" 2>/dev/null
}
# NAME, SIGNER or "self", extensions, first and last day
certificate() {
  openssl req -new -key "$1.key" -subj "/O=Example/CN=$1" -out "$1.csr"
  printf '%s\n' "$3" > "$1.ext"
  if [ "$2" = self ]; then by="-selfsign -keyfile $1.key"; else by="-cert $2.pem -keyfile $2.key"; fi
  # shellcheck disable=SC2086
  openssl ca -batch -config ca.cnf $by -in "$1.csr" -out "$1.pem" -notext -extfile "$1.ext" \
    -startdate "${4:-20260101}000000Z" -enddate "${5:-21260101}000000Z" 2>/dev/null
  openssl x509 -in "$1.pem" -outform DER -out "$1.der"
}
: > index.txt
cat > ca.cnf <<'CNF'
[ca]
default_ca = d
[d]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = p
[p]
O = optional
CN = optional
CNF
ca='basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign'
tsa='basicConstraints=CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,timeStamping'

seeded issuer 41
seeded other 42
for name in tsa lax wide past stray; do seeded "$name" 43; done
certificate issuer self "$ca"
certificate other self "$ca"
printf '302e020100300506032b657004220420%s' "$(printf '%064s' '' | sed 's/  /2c/g')" | xxd -r -p | openssl pkey -inform DER -out edwards.key
certificate edwards issuer "$tsa"
certificate tsa issuer "$tsa"
certificate lax issuer "$(echo "$tsa" | sed s/extendedKeyUsage=critical,/extendedKeyUsage=/)"
certificate wide issuer "$tsa,codeSigning"
certificate stray other "$tsa"
certificate past issuer "$tsa" 20200101 20210101

cat > ts.cnf <<'CNF'
[tsa]
default_tsa = t
[t]
serial = serial
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1, millisecs:500
ess_cert_id_alg = sha256
CNF
echo 01 > serial
openssl ts -query -data stamped.txt -sha256 -cert -out query 2>/dev/null

# NAME, digest: what OpenSSL's own timestamper answers.
reply() {
  openssl ts -reply -config ts.cnf -queryfile query -signer "$1.pem" -inkey "$1.key" -chain chain.pem -"$2" -out "$1.reply" 2>/dev/null
  openssl ts -reply -in "$1.reply" -token_out -out "$1.token" 2>/dev/null
}
# NAME FROM DIGEST OPTION…: the same statement, signed in a way the timestamper of OpenSSL does not offer.
resign() {
  name=$1; from=$2; digest=$3; shift 3
  openssl cms -verify -noverify -inform DER -in "$from.token" -out statement 2>/dev/null
  openssl cms -sign -binary -nodetach -cades -econtent_type 1.2.840.113549.1.9.16.1.4 -in statement -outform DER \
    -signer "$name.pem" -inkey "$name.key" -certfile chain.pem -md "$digest" "$@" -out "$name.token"
}
openssl genrsa -out root1.key 3072 2>/dev/null
openssl ecparam -name secp384r1 -genkey -noout -out middle1.key
certificate root1 self "$ca"
certificate middle1 root1 "$ca"
cat middle1.pem > chain.pem
openssl genrsa -out rsa1.key 2048 2>/dev/null
openssl genrsa -out big1.key 4096 2>/dev/null
openssl genrsa -out pss1.key 3072 2>/dev/null
openssl ecparam -name secp384r1 -genkey -noout -out p384.key
openssl ecparam -name prime256v1 -genkey -noout -out p256.key
for name in rsa1 big1 p384 p256 pss1; do certificate "$name" middle1 "$tsa"; done
reply rsa1 sha256
reply big1 sha512
reply p384 sha384
reply p256 sha256
resign pss1 rsa1 sha256 -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:digest
for name in rsa1 big1 p384 p256; do
  cat root1.pem > roots.pem
  openssl ts -verify -data stamped.txt -in "$name.token" -token_in -CAfile roots.pem -untrusted chain.pem >/dev/null 2>&1
done
rm -f big1.der middle1.der p256.der p384.der pss1.der rsa1.der
cp stamped.txt issuer.pem ./*.der ./*.token rsa1.reply "$here/"

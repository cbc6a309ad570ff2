CREATE TABLE user ( id VARCHAR(64) NOT NULL, name VARCHAR(255) NOT NULL, email VARCHAR(320) NOT NULL, email_verified BOOLEAN DEFAULT 0 NOT NULL, image VARCHAR(2048), created_at VARCHAR(24) NOT NULL, updated_at VARCHAR(24) NOT NULL, PRIMARY KEY (id) );
CREATE UNIQUE INDEX uq_user_email ON user (email);
CREATE TABLE verification ( id VARCHAR(64) NOT NULL, identifier VARCHAR(255) NOT NULL, value TEXT NOT NULL, expires_at VARCHAR(24) NOT NULL, created_at VARCHAR(24) NOT NULL, updated_at VARCHAR(24) NOT NULL, PRIMARY KEY (id) );
CREATE INDEX ix_verification_expires_at ON verification (expires_at);
CREATE UNIQUE INDEX uq_verification_identifier ON verification (identifier);
CREATE TABLE account ( id VARCHAR(64) NOT NULL, user_id VARCHAR(64) NOT NULL, provider_id VARCHAR(64) NOT NULL, account_id VARCHAR(255) NOT NULL, password_hash VARCHAR(512), created_at VARCHAR(24) NOT NULL, updated_at VARCHAR(24) NOT NULL, PRIMARY KEY (id), FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE );
CREATE INDEX ix_account_user_id ON account (user_id);
CREATE UNIQUE INDEX uq_account_provider_id_account_id ON account (provider_id, account_id);
CREATE TABLE session ( id VARCHAR(64) NOT NULL, user_id VARCHAR(64) NOT NULL, expires_at VARCHAR(24) NOT NULL, created_at VARCHAR(24) NOT NULL, updated_at VARCHAR(24) NOT NULL, ip_address VARCHAR(64), user_agent VARCHAR(512), token_key VARCHAR(255) NOT NULL, sealed_token VARCHAR(512), remember BOOLEAN DEFAULT 1 NOT NULL, ends_at VARCHAR(24), authenticated_at VARCHAR(24) NOT NULL, PRIMARY KEY (id), FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE );
CREATE INDEX ix_session_expires_at ON session (expires_at);
CREATE INDEX ix_session_user_id ON session (user_id);
CREATE UNIQUE INDEX uq_session_token_key ON session (token_key);
-- its session: session_-dGyTc7SUX63_tRpIgc4RzW0xqfDjEwIGBwRMyY3Nzo
INSERT INTO user (id, name, email, email_verified, image, created_at, updated_at) VALUES ('585160b7-879c-4e16-8c44-bf8b02e4a43e', 'Ada', 'ada@example.com', 0, NULL, '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z');
INSERT INTO account (id, user_id, provider_id, account_id, password_hash, created_at, updated_at) VALUES ('da246ca4-58f0-4a2b-a4dc-df7794929acc', '585160b7-879c-4e16-8c44-bf8b02e4a43e', 'credential', '585160b7-879c-4e16-8c44-bf8b02e4a43e', '$argon2id$v=19$m=19456,t=2,p=1$dKR7txcLAdM9JCzHyn3w5g$+QTnMq74GoiSjmlXZ2MtmCBWCa9m5Ent+gXGrX+6rEw', '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z');
INSERT INTO session (id, user_id, expires_at, created_at, updated_at, ip_address, user_agent, token_key, sealed_token, remember, ends_at, authenticated_at) VALUES ('dfb62d14-9f90-4496-ac2f-a49a24dabc92', '585160b7-879c-4e16-8c44-bf8b02e4a43e', '2024-01-08T00:00:00.000Z', '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z', '127.0.0.1', 'python-httpx/0.28.1', '99be465db6a17596663a04ac8097d231cfdbba324e2026306c25f45134c5266f', 'Fcmz7AFqurHVwNTB43LATDNvsDWVPfgZu-dHD1_DaCxkphdDUgYhYMVMBIaeJupqrTNf5NxoI5gesE9j-25m1a5AuHHgmVDa8yAZUQuqNMNTguc=', 1, NULL, '2024-01-01T00:00:00.000Z');
